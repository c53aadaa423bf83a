/*
 * Why it failed: one reason out of the library's many, its own words, and the
 * alert that went with it.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "tls/tlsio_priv.h"

#define ALERT_FATAL 2

static const struct tls_failure no_failure = { .alert = -1 };

static struct tls_failure *failure_of(struct tlsio *t);
static enum tls_reason reason_of(const struct tlsio *t, uint32_t code);
static enum tls_reason reason_of_alert(const struct tlsio *t, int alert);

const struct tls_failure *
tlsio_failure(const struct tlsio *t)
{
	OBJ_CHECK(t, TLSIO_MAGIC);
	return t->failure == NULL ? &no_failure : t->failure;
}

void
tlsio_on_alert(const SSL *ssl, int type, int value)
{
	struct tls_failure *f;

	if ((type & SSL_CB_ALERT) == 0 || value >> 8 != ALERT_FATAL)
		return;
	f = failure_of(tlsio_of(ssl));
	f->alert = value & 0xff;
	f->alert_sent = (type & SSL_CB_WRITE) != 0;
}

void
tlsio_failed_library(struct tlsio *t)
{
	struct tls_failure *f = failure_of(t);

	f->code = ERR_peek_error();
	if (f->code != 0)
		ERR_error_string_n(f->code, f->text, sizeof(f->text));
	f->reason = reason_of(t, f->code);
	if (f->reason == TLSR_NAME)
		(void)str_copy(f->names, sizeof(f->names),
		    str_c(t->info.names));
}

void
tlsio_failed_system(struct tlsio *t, int error)
{
	struct tls_failure *f = failure_of(t);

	f->reason = TLSR_RESET;
	if (error == 0)
		(void)str_copy(f->text, sizeof(f->text),
		    STR("the peer closed the connection"));
	else
		(void)snprintf(f->text, sizeof(f->text), "[Errno %d] %s", error,
		    strerror(error));
}

void
tlsio_failed_here(struct tlsio *t, enum tls_reason reason, const char *text)
{
	struct tls_failure *f = failure_of(t);

	f->reason = reason;
	(void)str_copy(f->text, sizeof(f->text), str_c(text));
}

static struct tls_failure *
failure_of(struct tlsio *t)
{
	if (t->failure == NULL) {
		t->failure = mem_zalloc(sizeof(*t->failure));
		t->failure->alert = -1;
	}
	return t->failure;
}

static enum tls_reason
reason_of(const struct tlsio *t, uint32_t code)
{
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return TLSR_PROTOCOL;
	switch (ERR_GET_REASON(code)) {
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_GROUP:
	case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
	case SSL_R_HANDSHAKE_FAILURE_ON_CLIENT_HELLO:
	case SSL_R_NO_CIPHERS_AVAILABLE:
		return TLSR_NO_CIPHER;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_SUPPORTED_VERSIONS_ENABLED:
	case SSL_R_INAPPROPRIATE_FALLBACK:
		return TLSR_VERSION;
	case SSL_R_KEY_USAGE_BIT_INCORRECT:
		return TLSR_KEY_USAGE;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return TLSR_CLIENT_CERT;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return t->ctx->server ? TLSR_CLIENT_CERT : t->info.reason;
	case SSL_R_PRIVATE_KEY_OPERATION_FAILED:
		return TLSR_UNAVAILABLE;
	default: /* not an enum: what a stranger's octets can do wrong */
		break;
	}
	if (t->failure->alert >= 0 && !t->failure->alert_sent)
		return reason_of_alert(t, t->failure->alert);
	return TLSR_PROTOCOL;
}

/* What the peer says, it may not mean: a client that was asked for its
 * certificate hears of a failed handshake, or of that certificate. */
static enum tls_reason
reason_of_alert(const struct tlsio *t, int alert)
{
	bool asked = !t->ctx->server && t->asked;

	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE:
		return asked ? TLSR_CLIENT_CERT : TLSR_NO_CIPHER;
	case SSL_AD_INSUFFICIENT_SECURITY:
		return TLSR_NO_CIPHER;
	case SSL_AD_PROTOCOL_VERSION:
	case SSL_AD_INAPPROPRIATE_FALLBACK:
		return TLSR_VERSION;
	case SSL_AD_CERTIFICATE_REQUIRED:
		return TLSR_CLIENT_CERT;
	case SSL_AD_NO_CERTIFICATE:
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
		return asked ? TLSR_CLIENT_CERT : TLSR_ALERT;
	default: /* not an enum */
		return TLSR_ALERT;
	}
}

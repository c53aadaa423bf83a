#include "tls/tlsfail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int number;
	const char *name;
} alerts[] = {
	{ 0, "close_notify" },
	{ 10, "unexpected_message" },
	{ 20, "bad_record_mac" },
	{ 21, "decryption_failed" },
	{ 22, "record_overflow" },
	{ 30, "decompression_failure" },
	{ 40, "handshake_failure" },
	{ 41, "no_certificate" },
	{ 42, "bad_certificate" },
	{ 43, "unsupported_certificate" },
	{ 44, "certificate_revoked" },
	{ 45, "certificate_expired" },
	{ 46, "certificate_unknown" },
	{ 47, "illegal_parameter" },
	{ 48, "unknown_ca" },
	{ 49, "access_denied" },
	{ 50, "decode_error" },
	{ 51, "decrypt_error" },
	{ 60, "export_restriction" },
	{ 70, "protocol_version" },
	{ 71, "insufficient_security" },
	{ 80, "internal_error" },
	{ 86, "inappropriate_fallback" },
	{ 90, "user_canceled" },
	{ 100, "no_renegotiation" },
	{ 109, "missing_extension" },
	{ 110, "unsupported_extension" },
	{ 112, "unrecognized_name" },
	{ 113, "bad_certificate_status_response" },
	{ 115, "unknown_psk_identity" },
	{ 116, "certificate_required" },
	{ 120, "no_application_protocol" },
};

void
tls_failure_set(
    struct tls_failure *f_r, enum tls_reason reason, const char *text)
{
	*f_r = (struct tls_failure){ .reason = reason, .alert = -1 };
	(void)str_copy(f_r->text, sizeof(f_r->text), str_c(text));
}

/* The stream says it in strerror()'s words, the number is lost by then. */
void
tls_failure_broken(struct tls_failure *f_r, const struct err *why)
{
	static const int errors[] = { ECONNRESET, EPIPE, ETIMEDOUT,
		EHOSTUNREACH, ENETUNREACH, ECONNABORTED };
	char text[sizeof(f_r->text)];
	size_t i;

	(void)str_copy(text, sizeof(text), str_c(why->text));
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(why->text, strerror(errors[i])) == 0)
			(void)snprintf(text, sizeof(text), "[Errno %d] %s",
			    errors[i], strerror(errors[i]));
	tls_failure_set(f_r, TLSR_RESET, text);
}

void
tls_failure_line(const struct tls_failure *f, struct buf *dst)
{
	if (f->code != 0)
		(void)buf_printf(
		    dst, "(%lu, '%s')", (unsigned long)f->code, f->text);
	else
		(void)buf_add_c(dst, f->text);
}

void
tls_failure_block(const struct tls_failure *f, struct buf *dst)
{
	if (f->alert < 0)
		(void)buf_add_c(dst, "no alert\n");
	else
		(void)buf_printf(dst, "alert %d %s sent by %s\n", f->alert,
		    tls_alert_name(f->alert),
		    f->alert_sent ? "us" : "the peer");
	(void)buf_printf(dst, "reason %s: ", tls_reason_word(f->reason));
	tls_failure_line(f, dst);
	(void)buf_add_char(dst, '\n');
}

const char *
tls_alert_name(int alert)
{
	size_t i;

	for (i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
		if (alerts[i].number == alert)
			return alerts[i].name;
	return "unknown";
}

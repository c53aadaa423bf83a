/*
 * What a client asks of one connection: versions, ciphers, groups, names,
 * session. Nothing here ever asks for less than the want does.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/coll.h"
#include "base/mem.h"
#include "tls/tlsident_priv.h"
#include "tls/tlsio_priv.h"
#include "tls/tlslib.h"

enum { LIST_MAX = 4096 };

static void set_versions(struct tlsio *t, const struct tlsio_client *c);
static void set_ciphers(struct tlsio *t, const struct tlsio_client *c);
static void set_groups(struct tlsio *t, const struct tlsio_client *c);
static void set_names(struct tlsio *t, const struct tlsio_client *c);
static void set_session(struct tlsio *t, const struct tlsio_client *c);
static void set_unfit(
    struct tlsio *t, enum tls_reason reason, const char *text);
static uint64_t session_key(
    const struct tlsio *t, const struct tlsio_client *c);

void
tlsio_set_up_client(struct tlsio *t, const struct tlsio_client *c)
{
	struct tlsio_shake *k = t->shake;

	SSL_set_connect_state(t->ssl);
	k->want = *c->want;
	set_versions(t, c);
	set_ciphers(t, c);
	set_groups(t, c);
	set_names(t, c);
	if (!tlswant_verifies(k->want.level))
		tlslib_tolerate(t->ssl);
	if (c->cert != NULL)
		k->own = tlsident_ref(c->cert);
	SSL_set_cert_cb(t->ssl, tlsctx_pick_own, NULL);
	set_session(t, c);
	ERR_clear_error();
}

/* The old versions are for those who asked for them and demand nothing. */
static void
set_versions(struct tlsio *t, const struct tlsio_client *c)
{
	uint16_t low = c->want->min_version, high = t->ctx->max_version;

	if (low == 0)
		low = t->ctx->min_version;
	if (low < TLS1_2_VERSION && !tlswant_clear_ok(c->want->level))
		low = TLS1_2_VERSION;
	if (c->step >= TLS_STEP_TLS12 && high > TLS1_2_VERSION)
		high = TLS1_2_VERSION;
	if (low > high || !SSL_set_min_proto_version(t->ssl, low) ||
	    !SSL_set_max_proto_version(t->ssl, high))
		set_unfit(t, TLSR_VERSION, "no TLS version is left to offer");
	t->shake->low = low;
}

/* Words that nobody knows were told of when the want was read. */
static void
set_ciphers(struct tlsio *t, const struct tlsio_client *c)
{
	const char *list = c->want->ciphers;
	struct buf use;

	if (list == NULL && c->step < TLS_STEP_RSA)
		return;
	buf_init(&use, LIST_MAX);
	if (buf_printf(&use, "%s%s", list != NULL ? list : t->ctx->ciphers,
		c->step >= TLS_STEP_RSA ? ":!kECDHE" : "") < 0 ||
	    (!SSL_set_strict_cipher_list(t->ssl, buf_p(&use)) &&
		!SSL_set_cipher_list(t->ssl, buf_p(&use))))
		set_unfit(t, TLSR_NO_CIPHER, "no cipher is left to offer");
	buf_fini(&use);
}

static void
set_groups(struct tlsio *t, const struct tlsio_client *c)
{
	const char *list = c->want->groups;
	bool classic = c->step >= TLS_STEP_CLASSIC;

	if (list == NULL && !classic)
		return;
	if (list == NULL)
		list = t->ctx->groups;
	if (tlslib_groups(t->ctx->ssl, t->ssl, list, classic) < 0)
		set_unfit(t, TLSR_NO_CIPHER, "no group is left to offer");
}

/* A name that is too long to be sent is not sent. */
static void
set_names(struct tlsio *t, const struct tlsio_client *c)
{
	const char *const *names = c->want->names;
	struct tlsio_shake *k = t->shake;
	size_t n = 0, i;

	if (c->sni != NULL && c->sni[0] != '\0')
		(void)SSL_set_tlsext_host_name(t->ssl, c->sni);
	k->refs = c->refs;
	if (c->refs != NULL)
		return;
	while (names != NULL && names[n] != NULL)
		n++;
	k->refs = k->own_refs = mem_array(n + 2, sizeof(*k->own_refs));
	for (i = 0; i < n; i++)
		k->own_refs[i] = (struct tlsref){ TLSREF_NAME, TLSREF_SAN,
			str_c(mem_strdup(names[i])) };
	if (names == NULL)
		k->own_refs[0] = (struct tlsref){ TLSREF_DOMAIN, TLSREF_SAN,
			str_c(mem_strndup(c->domain.p, c->domain.n)) };
}

static void
set_session(struct tlsio *t, const struct tlsio_client *c)
{
	SSL_SESSION *session;

	if (c->session == 0)
		return;
	t->session = session_key(t, c);
	session = tlscache_take(t->ctx->cache, t->session, t->ctx->ssl);
	if (session != NULL)
		(void)SSL_set_session(t->ssl, session);
	SSL_SESSION_free(session);
}

/* Told when the handshake would begin. */
static void
set_unfit(struct tlsio *t, enum tls_reason reason, const char *text)
{
	if (t->shake->unfit_text == NULL) {
		t->shake->unfit = reason;
		t->shake->unfit_text = text;
	}
}

/*
 * What a caller calls one session is several if they were made under other
 * demands, or showed another certificate: a weaker one is never even offered.
 */
static uint64_t
session_key(const struct tlsio *t, const struct tlsio_client *c)
{
	const char *none = "", *w[] = { c->want->ca, c->want->ciphers,
		c->want->groups };
	const struct tlsident *own = t->shake->own;
	struct buf text;
	uint64_t key;
	size_t i;

	if (own == NULL && t->ctx->nident > 0)
		own = t->ctx->ident[0];
	buf_init(&text, 4 * LIST_MAX);
	(void)buf_printf(&text, "%llu %u %u %u", (unsigned long long)c->session,
	    (unsigned)c->want->level, (unsigned)t->shake->low,
	    (unsigned)c->step);
	for (i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		(void)buf_printf(
		    &text, "\n%s", w[i] == NULL ? none : w[i]);
	if (own != NULL)
		(void)buf_add(&text, own->id.sha256, sizeof(own->id.sha256));
	key = hash_bytes(buf_p(&text), buf_len(&text));
	buf_fini(&text);
	return key == 0 ? 1 : key;
}

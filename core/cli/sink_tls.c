#include "cli/sink_tls.h"

#include "base/file.h"
#include "base/obj.h"
#include "tls/tlsident.h"

#define SINK_TLS_MAGIC 0x51c40005u

enum {
	PEM_MAX = 256 * 1024,
	TLS10 = 0x0301,
	TLS11 = 0x0302,
	TLS12 = 0x0303,
	TLS13 = 0x0304
};

struct sink_tls {
	unsigned magic;
	struct sink_tls_conf conf;
	struct certlab *lab;
};

static int make(const struct tlsctx_conf *conf, struct str pem,
    struct tlsctx **ctx_r, struct err *why);
static void limit(struct tlsctx_conf *conf, enum sink_fault version);
static int write_file(const char *path, const struct buf *pem, struct err *why);

int
sink_tls_new(
    struct sink_tls **st_r, const struct sink_tls_conf *conf, struct err *why)
{
	struct sink_tls *st;

	OBJ_NEW(st, SINK_TLS_MAGIC);
	st->conf = *conf;
	if (certlab_new(&st->lab, why) < 0) {
		sink_tls_destroy(&st);
		return -1;
	}
	*st_r = st;
	return 0;
}

void
sink_tls_destroy(struct sink_tls **stp)
{
	struct sink_tls *st = *stp;

	if (st == NULL)
		return;
	OBJ_CHECK(st, SINK_TLS_MAGIC);
	*stp = NULL;
	certlab_destroy(&st->lab);
	OBJ_FREE(st);
}

int
sink_tls_ctx(struct sink_tls *st, const struct sink_words *words,
    const struct sink_setting *s, struct tlsctx **ctx_r, struct err *why)
{
	const char *own[] = { st->conf.hostname, NULL };
	struct tlsctx_conf conf = { .server = true };
	struct buf pem;
	int result;

	OBJ_CHECK(st, SINK_TLS_MAGIC);
	conf.request_client_cert = st->conf.ask || st->conf.require;
	conf.require_client_cert = st->conf.require;
	limit(&conf, s->version);
	if (st->conf.cert != NULL) {
		conf.cert_file = st->conf.cert;
		conf.key_file =
		    st->conf.key != NULL ? st->conf.key : st->conf.cert;
		return tlsctx_new(ctx_r, &conf, why);
	}
	buf_init(&pem, PEM_MAX);
	result = certlab_issue(st->lab, s->kind,
	    words->keyed ? words->key : CERTLAB_P256,
	    words->names > 0 ? words->name : own, &pem, why);
	if (result == 0)
		result = make(&conf, buf_str(&pem), ctx_r, why);
	buf_fini(&pem);
	return result;
}

int
sink_tls_write(const struct sink_tls *st, struct err *why)
{
	struct buf pem;
	int result = 0;

	OBJ_CHECK(st, SINK_TLS_MAGIC);
	buf_init(&pem, PEM_MAX);
	if (st->conf.ca_out != NULL) {
		result = certlab_root(st->lab, &pem, why);
		if (result == 0)
			result = write_file(st->conf.ca_out, &pem, why);
	}
	buf_reset(&pem);
	if (result == 0 && st->conf.crl_out != NULL) {
		result = certlab_crls(st->lab, &pem, why);
		if (result == 0)
			result = write_file(st->conf.crl_out, &pem, why);
	}
	buf_fini(&pem);
	return result;
}

static int
make(const struct tlsctx_conf *conf, struct str pem, struct tlsctx **ctx_r,
    struct err *why)
{
	struct tlsctx_conf own = *conf;
	struct tlsident *id;
	int result;

	if (tlsident_new(&id, "throw-away", pem, pem, NULL, NULL, why) < 0)
		return -1;
	own.ident = &id;
	own.nident = 1;
	result = tlsctx_new(ctx_r, &own, why);
	tlsident_unref(&id);
	return result;
}

static void
limit(struct tlsctx_conf *conf, enum sink_fault version)
{
	if (version == FAULT_OLD)
		conf->min_version = conf->max_version = TLS10;
	else if (version == FAULT_TLS11)
		conf->min_version = conf->max_version = TLS11;
	else if (version == FAULT_TLS12 || version == FAULT_NOSHARED)
		conf->min_version = conf->max_version = TLS12;
	else if (version == FAULT_TLS13)
		conf->min_version = conf->max_version = TLS13;
	if (version == FAULT_NOSHARED)
		conf->ciphers = "ECDHE-PSK-AES128-CBC-SHA";
}

static int
write_file(const char *path, const struct buf *pem, struct err *why)
{
	return file_replace(path, buf_p(pem), buf_len(pem), 0644, why);
}

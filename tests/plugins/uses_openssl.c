/*
 * A plugin with OpenSSL 3 inside: asks a web server by HTTPS (libcurl) and a
 * PostgreSQL server over TLS (libpq) for each message, and uses the library
 * directly as well. tests/integration/test_plugin_symbols.py builds it as an
 * author would, with one cc line, and loads it into a process whose own TLS is
 * BoringSSL's.
 */
#include <postern/plugin.h>

#include <curl/curl.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf {
	const char *url, *ca_file, *database;
};

static const struct pst_option options[] = {
	PST_STRING(struct conf, url, NULL, "where each digest is posted"),
	PST_STRING(struct conf, ca_file, NULL, "roots for both servers"),
	PST_STRING(struct conf, database, NULL, "what libpq connects to"),
	PST_END
};

/* What the other thread works on, and nothing else. */
struct job {
	const struct conf *conf;
	char mid[32], digest[2 * EVP_MAX_MD_SIZE + 1], why[400];
};

static int
fail(struct job *j, const char *where, const char *what)
{
	(void)snprintf(j->why, sizeof(j->why), "%s: %s", where, what);
	return -1;
}

static int
digest(struct job *j)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned n = 0, i;
	int ok;

	ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, j->mid, strlen(j->mid)) == 1 &&
	    EVP_DigestFinal_ex(md, sum, &n) == 1 && n == 32;
	EVP_MD_CTX_free(md);
	if (!ok)
		return fail(j, "EVP", "no digest");
	for (i = 0; i < n; i++)
		(void)snprintf(j->digest + 2 * i, 3, "%02x", sum[i]);
	return 0;
}

/* A key that is made, signs and verifies. */
static int
sign(struct job *j)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_MD_CTX *md = EVP_MD_CTX_new(), *md2 = EVP_MD_CTX_new();
	const unsigned char *text = (const unsigned char *)j->digest;
	size_t n = strlen(j->digest), len;
	unsigned char sig[256];
	int ok;

	len = sizeof(sig);
	ok = key != NULL && md != NULL && md2 != NULL &&
	    EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL, key, NULL) ==
		1 && EVP_DigestSign(md, sig, &len, text, n) == 1 &&
	    EVP_DigestVerifyInit_ex(md2, NULL, "SHA256", NULL, NULL, key,
		NULL) == 1 && EVP_DigestVerify(md2, sig, len, text, n) == 1;
	EVP_MD_CTX_free(md);
	EVP_MD_CTX_free(md2);
	EVP_PKEY_free(key);
	return ok ? 0 : fail(j, "EVP", "no signature");
}

static int
context(struct job *j)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	int ok;

	ok = ctx != NULL &&
	    SSL_CTX_load_verify_locations(ctx, j->conf->ca_file, NULL) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") == 1 &&
	    (ssl = SSL_new(ctx)) != NULL &&
	    SSL_set_tlsext_host_name(ssl, "a.test") == 1;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return ok ? 0 : fail(j, "SSL", "no context");
}

static int
post(struct job *j)
{
	char error[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	long code = 0;
	CURLcode r;

	if (c == NULL)
		return fail(j, "curl", "no handle");
	(void)curl_easy_setopt(c, CURLOPT_URL, j->conf->url);
	(void)curl_easy_setopt(c, CURLOPT_CAINFO, j->conf->ca_file);
	(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, j->digest);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	r = curl_easy_perform(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(c);
	if (r != CURLE_OK)
		return fail(j, "curl", error[0] != '\0' ? error :
		    curl_easy_strerror(r));
	return code == 200 ? 0 : fail(j, "curl", "not 200");
}

static int
store(struct job *j)
{
	const char *const v[] = { j->digest };
	PGconn *db = PQconnectdb(j->conf->database);
	const char *library;
	PGresult *res = NULL;
	int r = 0;

	if (PQstatus(db) != CONNECTION_OK)
		r = fail(j, "libpq", PQerrorMessage(db));
	library = r == 0 ? PQsslAttribute(db, "library") : NULL;
	if (r == 0 && (library == NULL || strcmp(library, "OpenSSL") != 0))
		r = fail(j, "libpq", "this is no TLS of OpenSSL's");
	if (r == 0) {
		res = PQexecParams(db, "insert into seen select $1, ssl from "
		    "pg_stat_ssl where pid = pg_backend_pid()", 1, NULL, v,
		    NULL, NULL, 0);
		if (PQresultStatus(res) != PGRES_COMMAND_OK)
			r = fail(j, "libpq", PQresultErrorMessage(res));
	}
	PQclear(res);
	PQfinish(db);
	return r;
}

static int
work(void *arg)
{
	struct job *j = arg;

	return digest(j) == 0 && sign(j) == 0 && context(j) == 0 &&
	    post(j) == 0 && store(j) == 0 ? 0 : 1;
}

static enum pst_verdict
worked(struct pst_event *ev, const struct pst_result *res)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);

	if (res->status != PST_OK || res->code != 0) {
		pst_log(ev, PST_ERROR, "%s", j->why);
		return pst_tempfail(ev, 451, "4.3.0", "%s", j->why);
	}
	pst_header_add(ev, "X-Digest", j->digest);
	return PST_CONTINUE;
}

static enum pst_verdict
on_eom(struct pst_event *ev)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);
	const char *mid = pst_get(ev, "mid");

	if (j == NULL || mid == NULL)
		return PST_TEMPFAIL;
	j->conf = ev->conf;
	(void)snprintf(j->mid, sizeof(j->mid), "%s", mid);
	return pst_offload(ev, work, j, worked);
}

/* On the worker's own thread, once. */
static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct job j = { .conf = ev->conf, .mid = "0" };

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return pst_tempfail(ev, 451, "4.3.0", "curl does not start");
	if (digest(&j) != 0 || sign(&j) != 0 || context(&j) != 0)
		return pst_tempfail(ev, 451, "4.3.0", "%s", j.why);
	pst_log(ev, PST_INFO, "with %s and curl of %s",
	    OpenSSL_version(OPENSSL_VERSION),
	    curl_version_info(CURLVERSION_NOW)->ssl_version);
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_ON_EOM, on_eom),
	PST_END
};

PST_PLUGIN(uses_openssl, .version = "1.0", .summary = "Uses OpenSSL 3",
    .license = "none", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));

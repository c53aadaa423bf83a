#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/certconfig.h"
#include "cli/confedit.h"
#include "tls/pkcs12.h"

#define PEM_MAX (4 * 1024 * 1024)

static int make_all(const struct certmake *, struct buf *, struct buf *,
    struct buf *, struct err *);
static int clean(struct certconfig *, const struct certpile *,
    struct certpile *, struct certchain *, struct err *);
static int own_key(struct certconfig *, const struct certstore_entry *,
    struct certpile *, struct err *);
static int put_chain(struct certconfig *, const char *,
    const struct certpile *, struct err *);
static void done(struct certconfig *, const char *, const char *,
    const struct certchain *);
static void warn_uncommitted(const struct certconfig *);
static void fini_secret(struct buf *);

int
certconfig_create(struct certconfig *cc, const char *name,
    struct certmake *m, struct err *why)
{
	const char *const cn_only[] = { m->cn, NULL };
	struct certmake named = *m;
	struct certmake cn_name = *m;
	struct certstore_entry e;
	struct buf key, cert, csr;
	int r;

	if (certstore_check_name(name, why) != 0)
		return -1;
	if (certstore_entry(cc->cs, name, &e, NULL) == 0)
		return err_text(why, "there is already a certificate \"%s\"; "
		    "a new key needs a new name", name);
	/* A common name that is a host's is one of its names by default. */
	cn_name.name = cn_only;
	if (m->name == NULL || m->name[0] == NULL) {
		if (certmake_check(&cn_name, NULL) == 0)
			named = cn_name;
	}
	buf_init(&key, PEM_MAX);
	buf_init(&cert, PEM_MAX);
	buf_init(&csr, PEM_MAX);
	r = make_all(&named, &key, &cert, &csr, why);
	if (r == 0)
		r = certstore_add(cc->cs, name, buf_str(&cert), buf_str(&key),
		    buf_str(&csr), why);
	fini_secret(&key);
	buf_fini(&cert);
	buf_fini(&csr);
	if (r != 0)
		return -1;
	cc->changed = true;
	done(cc, "created", name, NULL);
	certconfig_warn_name(cc, name);
	return 0;
}

int
certconfig_upload(struct certconfig *cc, const char *name, char *const *file,
    int nfile, bool keep, const char *passphrase, struct err *why)
{
	struct certchain c = { .pool = cc->pool };
	struct certpile *any = certpile_new(), *chain = certpile_new();
	struct certpile *old = NULL;
	struct certstore_entry e;
	unsigned k;
	int i, r;

	r = certstore_entry(cc->cs, name, &e, why);
	if (r == 0)
		r = own_key(cc, &e, any, why);
	for (i = 0; r == 0 && i < nfile; i++)
		r = certconfig_read(cc, any, file[i], passphrase, why);
	if (r == 0 && certpile_count(any) == 0)
		r = err_text(why, "no certificate was given");
	/* Intermediates alone are put behind what is there. */
	if (r == 0 && keep && (r = certconfig_load(cc, &e, &old, why)) == 0) {
		for (k = 0; k < certpile_count(old); k++)
			certpile_copy(any, old, k);
	}
	if (r == 0)
		r = clean(cc, any, chain, &c, why);
	if (r == 0)
		r = put_chain(cc, name, chain, why);
	if (r == 0)
		done(cc, "uploaded", name, &c);
	certpile_destroy(&old);
	certpile_destroy(&any);
	certpile_destroy(&chain);
	return r;
}

int
certconfig_renew(struct certconfig *cc, const char *name, const char *file,
    struct err *why)
{
	struct certstore_entry e;
	struct buf cert, key, csr;
	int r;

	buf_init(&cert, PEM_MAX);
	buf_init(&key, PEM_MAX);
	buf_init(&csr, PEM_MAX);
	r = certstore_entry(cc->cs, name, &e, why);
	if (r == 0)
		r = certconfig_text(cc, e.chain, &cert, why);
	if (r == 0)
		r = certconfig_text(cc, e.key, &key, why);
	if (r == 0)
		r = certmake_renewal(buf_str(&cert), buf_str(&key), &csr, why);
	if (r == 0)
		r = certstore_set_csr(cc->cs, name, buf_str(&csr), why);
	if (r == 0)
		r = certconfig_csr(cc, name, file, why);
	buf_fini(&cert);
	fini_secret(&key);
	buf_fini(&csr);
	return r;
}

int
certconfig_csr(struct certconfig *cc, const char *name, const char *file,
    struct err *why)
{
	struct certstore_entry e;
	struct buf csr;
	int r;

	buf_init(&csr, PEM_MAX);
	r = certstore_entry(cc->cs, name, &e, why);
	if (r == 0 && e.csr == NULL)
		r = err_text(why, "\"%s\" has no request; renew makes one",
		    name);
	if (r == 0)
		r = file_read(&csr, e.csr, why);
	if (r == 0 && cc->json && file == NULL)
		certconfig_print(json_pack("{s:s,s:s}", "name", name, "csr",
		    buf_p(&csr)));
	else if (r == 0)
		r = certconfig_write(file, buf_str(&csr), false, why);
	if (r == 0)
		warn_uncommitted(cc);
	buf_fini(&csr);
	return r;
}

/* Key and request are safe: they are in the certificate store at once. What
 * they are for need not be in force. */
static void
warn_uncommitted(const struct certconfig *cc)
{
	struct confedit *ce = NULL;
	struct err no = ERR_INIT;
	const char *who;
	msec since;

	if (confedit_open(&ce, cc->conf->file, &no) == 0 &&
	    confedit_changes(ce, &who, &since) > 0)
		(void)fprintf(stderr, "Warning: commit before you have this "
		    "request signed.\n");
	if (ce != NULL)
		confedit_hint(ce);
	confedit_close(&ce);
}

int
certconfig_restore(struct certconfig *cc, const char *name, unsigned version,
    struct err *why)
{
	struct certstore_entry e;
	struct buf text;
	unsigned made;
	int r;

	buf_init(&text, PEM_MAX);
	r = certstore_entry(cc->cs, name, &e, why);
	if (r == 0 && (version < 1 || version > e.versions))
		r = err_text(why, "\"%s\" has no version %u; it has %u", name,
		    version, e.versions);
	if (r == 0)
		r = file_read(&text,
		    certstore_version_path(cc->cs, name, version), why);
	if (r == 0)
		r = certstore_set_chain(cc->cs, name, buf_str(&text), &made,
		    why);
	buf_fini(&text);
	if (r != 0)
		return -1;
	cc->changed = true;
	done(cc, "restored", name, NULL);
	return 0;
}

int
certconfig_import(struct certconfig *cc, const char *name, char *const *file,
    int nfile, const char *passphrase, struct err *why)
{
	struct certpile *any = certpile_new(), *chain = certpile_new();
	struct certchain c = { .pool = cc->pool };
	struct buf pem, key;
	int i, r = 0;

	buf_init(&pem, PEM_MAX);
	buf_init(&key, PEM_MAX);
	for (i = 0; r == 0 && i < nfile; i++)
		r = certconfig_read(cc, any, file[i], passphrase, why);
	if (r == 0 && !certpile_has_key(any))
		r = err_text(why, "there is no private key in what is to be "
		    "imported");
	if (r == 0)
		r = clean(cc, any, chain, &c, why);
	if (r == 0 && (certpile_pem_all(chain, &pem) != 0 ||
			  certpile_key_pem(any, &key) != 0))
		r = err_text(why, "the chain is too long");
	if (r == 0)
		r = certstore_add(cc->cs, name, buf_str(&pem), buf_str(&key),
		    STR_NULL, why);
	if (r == 0) {
		cc->changed = true;
		done(cc, "imported", name, &c);
	}
	buf_fini(&pem);
	fini_secret(&key);
	certpile_destroy(&any);
	certpile_destroy(&chain);
	return r;
}

int
certconfig_export(struct certconfig *cc, const char *name,
    enum certconfig_format format, const char *passphrase, const char *file,
    struct err *why)
{
	bool legacy = format == CERTCONFIG_PKCS12_LEGACY, was = false;
	bool pkcs12 = legacy || format == CERTCONFIG_PKCS12;
	struct certpile *p = NULL;
	struct certstore_entry e;
	struct buf out;
	int r;

	if (pkcs12 && (file == NULL || strcmp(file, "-") == 0) &&
	    isatty(STDOUT_FILENO) != 0)
		return err_text(why, "PKCS#12 is nothing for a terminal; name "
		    "a file");
	buf_init(&out, PEM_MAX);
	r = certstore_entry(cc->cs, name, &e, why);
	if (r == 0)
		r = certconfig_load(cc, &e, &p, why);
	if (r == 0 && pkcs12) {
		r = pkcs12_write(p, name, passphrase, legacy, &out, &was, why);
		if (r == 0 && was && !legacy)
			(void)fprintf(stderr, "This TLS library only makes "
			    "PKCS#12 in the legacy form (3DES, SHA-1).\n");
	} else if (r == 0 && (certpile_pem_all(p, &out) != 0 ||
				 (format == CERTCONFIG_PEM_KEY &&
				     certpile_key_pem(p, &out) != 0))) {
		r = err_text(why, "the chain is too long");
	}
	if (r == 0)
		r = certconfig_write(file, buf_str(&out),
		    format != CERTCONFIG_PEM, why);
	fini_secret(&out);
	certpile_destroy(&p);
	return r;
}

int
certconfig_rename(struct certconfig *cc, const char *name, const char *to,
    struct err *why)
{
	const char *use;
	bool boot;

	use = certconfig_use_of(cc, name, 0, &boot);
	if (use != NULL)
		return err_text(why, "\"%s\" is in use by %s%s", name, use,
		    boot ? " (boot file)" : "");
	if (certstore_rename(cc->cs, name, to, why) != 0)
		return -1;
	done(cc, "renamed", to, NULL);
	return 0;
}

int
certconfig_delete(struct certconfig *cc, const char *name, struct err *why)
{
	const char *use;
	bool boot;

	use = certconfig_use_of(cc, name, 0, &boot);
	if (use != NULL)
		return err_text(why, "\"%s\" is in use by %s%s", name, use,
		    boot ? " (boot file)" : "");
	if (certstore_delete(cc->cs, name, why) != 0)
		return -1;
	cc->changed = true;
	done(cc, "deleted", name, NULL);
	return 0;
}

static int
make_all(const struct certmake *m, struct buf *key, struct buf *cert,
    struct buf *csr, struct err *why)
{
	if (certmake_key(m, key, why) != 0 ||
	    certmake_self(m, buf_str(key), cert, why) != 0)
		return -1;
	return certmake_request(m, buf_str(key), csr, why);
}

/* The chain to serve, and what is still wrong with it. */
static int
clean(struct certconfig *cc, const struct certpile *any,
    struct certpile *chain, struct certchain *c, struct err *why)
{
	struct certpile *roots = certpile_new();
	int r;

	r = certconfig_roots(cc, roots, why);
	if (r == 0)
		r = certchain_clean(any, roots, clock_wall(), chain, why);
	if (r == 0)
		certchain_check(c, chain, roots, clock_wall());
	certpile_destroy(&roots);
	return r;
}

static int
own_key(struct certconfig *cc, const struct certstore_entry *e,
    struct certpile *any, struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, PEM_MAX);
	r = certconfig_text(cc, e->key, &text, why);
	if (r == 0)
		r = certpile_read(any, buf_str(&text), e->key, NULL, why);
	fini_secret(&text);
	return r;
}

static int
put_chain(struct certconfig *cc, const char *name,
    const struct certpile *chain, struct err *why)
{
	unsigned version;
	struct buf pem;
	int r;

	buf_init(&pem, PEM_MAX);
	r = certpile_pem_all(chain, &pem);
	if (r != 0)
		r = err_text(why, "the chain is too long");
	else
		r = certstore_set_chain(cc->cs, name, buf_str(&pem), &version,
		    why);
	buf_fini(&pem);
	if (r == 0)
		cc->changed = true;
	return r;
}

static void
done(struct certconfig *cc, const char *what, const char *name,
    const struct certchain *c)
{
	json_t *o = json_pack("{s:s,s:s}", "done", what, "name", name);

	if (c != NULL)
		certconfig_findings(cc, c, o);
	if (cc->json)
		certconfig_print(o);
	else
		(void)printf("\"%s\" was %s.\n", name, what);
	if (!cc->json)
		json_decref(o);
}

static void
fini_secret(struct buf *b)
{
	explicit_bzero(buf_p(b), buf_len(b));
	buf_fini(b);
}

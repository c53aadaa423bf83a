#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/certconfig.h"

#define DAY SECONDS(24 * 60 * 60)
#define CLEAN_MAX (4 * 1024 * 1024)

static json_t *entry_json(struct certconfig *, const struct certstore_entry *,
    bool);
static json_t *fact_json(const struct certfact *);
static json_t *uses_json(struct certconfig *, const char *);
static void show_row(struct certconfig *, const json_t *);
static void show_entry(const json_t *);
static void show_chain(const json_t *);
static int check_one(struct certconfig *, const struct certstore_entry *,
    bool, json_t *, bool *, struct err *);
static void check_files(const struct certstore_entry *, const char *,
    json_t *, bool *);
static void add_finding(json_t *, const char *, const char *, const char *);
static int fix_one(struct certconfig *, const struct certstore_entry *,
    const struct certpile *, const struct certpile *, bool *, struct err *);
static void show_check(const json_t *, bool);
static const char *text_of(const json_t *, const char *);

static const char *const levels[] = { "note", "warning", "fail" };

int
certconfig_list(struct certconfig *cc, struct err *why)
{
	struct certstore_entry *v;
	json_t *all = json_array();
	size_t at;
	json_t *o;
	unsigned i, n;

	if (certstore_list(cc->cs, &v, &n, why) != 0) {
		json_decref(all);
		return -1;
	}
	for (i = 0; i < n; i++)
		(void)json_array_append_new(all, entry_json(cc, &v[i], false));
	if (cc->json) {
		certconfig_print(json_pack("{s:o}", "certificates", all));
		return 0;
	}
	if (n == 0)
		(void)printf("There is no certificate in %s.\n",
		    certstore_dir(cc->cs));
	else
		(void)printf("%-28s %-10s %-11s %-24s %s\n", "Name", "Expires",
		    "Key", "Common name", "Use");
	json_array_foreach(all, at, o)
		show_row(cc, o);
	json_decref(all);
	return 0;
}

int
certconfig_show(struct certconfig *cc, const char *name, struct err *why)
{
	struct certstore_entry e;
	json_t *o;

	if (certstore_entry(cc->cs, name, &e, why) != 0)
		return -1;
	o = entry_json(cc, &e, true);
	if (json_object_get(o, "error") != NULL) {
		(void)err_text(why, "%s", text_of(o, "error"));
		json_decref(o);
		return -1;
	}
	if (cc->json) {
		certconfig_print(o);
		return 0;
	}
	show_entry(o);
	json_decref(o);
	return 0;
}

int
certconfig_check(struct certconfig *cc, const char *name, bool fix,
    bool *ok_r, struct err *why)
{
	struct certstore_entry *v, one;
	json_t *all = json_array(), *o;
	bool ok = true;
	unsigned i, n;
	int r;

	if (name != NULL) {
		r = certstore_entry(cc->cs, name, &one, why);
		v = &one;
		n = 1;
	} else {
		r = certstore_list(cc->cs, &v, &n, why);
	}
	for (i = 0; r == 0 && i < n; i++) {
		o = json_pack("{s:s}", "name", v[i].name);
		r = check_one(cc, &v[i], fix, o, &ok, why);
		if (!cc->json && r == 0)
			show_check(o, n > 1);
		(void)json_array_append_new(all, o);
	}
	if (r == 0 && cc->json)
		certconfig_print(json_pack("{s:O,s:b}", "checks", all, "ok",
		    ok));
	json_decref(all);
	*ok_r = ok;
	return r;
}

/* As a member "findings", and unless it is JSON that is wanted, on standard
 * error. */
void
certconfig_findings(const struct certconfig *cc, const struct certchain *c,
    json_t *into)
{
	json_t *all = json_array();
	unsigned i;

	for (i = 0; i < c->n; i++) {
		add_finding(all, levels[c->v[i].level], c->v[i].word,
		    c->v[i].text);
		if (!cc->json && c->v[i].level != CERTCHAIN_NOTE)
			(void)fprintf(stderr, "%s: %s\n",
			    levels[c->v[i].level], c->v[i].text);
	}
	(void)json_object_set_new(into, "findings", all);
}

void
certconfig_date(char *dst, size_t n, msec wall)
{
	char text[40];

	clock_rfc3339(text, sizeof(text), wall);
	(void)str_copy(dst, n, str_n(text, 10));
}

void
certconfig_print(json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	(void)putchar('\n');
	json_decref(o);
}

static json_t *
entry_json(struct certconfig *cc, const struct certstore_entry *e, bool full)
{
	json_t *o = json_object(), *chain = json_array();
	struct err why = ERR_INIT;
	struct certpile *p = NULL;
	struct certfact f;
	unsigned i;

	(void)json_object_set_new(o, "name", json_string(e->name));
	(void)json_object_set_new(o, "demo",
	    json_boolean(certstore_is_default(e->name)));
	(void)json_object_set_new(o, "uses", uses_json(cc, e->name));
	if (e->directory != NULL)
		(void)json_object_set_new(o, "directory",
		    json_string(e->directory));
	(void)json_object_set_new(o, "versions",
	    json_integer((json_int_t)e->versions));
	(void)json_object_set_new(o, "request", json_boolean(e->csr != NULL));
	if (certconfig_load(cc, e, &p, &why) != 0) {
		(void)json_object_set_new(o, "error", json_string(why.text));
		json_decref(chain);
		return o;
	}
	for (i = 0; i < certpile_count(p); i++) {
		certpile_fact(p, i, cc->pool, &f);
		(void)json_array_append_new(chain, fact_json(&f));
	}
	certpile_fact(p, 0, cc->pool, &f);
	(void)json_object_set_new(o, "cn", json_string(f.cn));
	(void)json_object_set_new(o, "key", json_string(f.key));
	(void)json_object_set_new(o, "not_after",
	    json_integer(f.not_after / 1000));
	(void)json_object_set_new(o, "self_signed",
	    json_boolean(f.self_signed));
	if (full) {
		(void)json_object_set(o, "chain", chain);
		(void)json_object_set_new(o, "file", json_string(e->chain));
		(void)json_object_set_new(o, "key_file",
		    json_string(e->key));
	}
	json_decref(chain);
	certpile_destroy(&p);
	return o;
}

static json_t *
fact_json(const struct certfact *f)
{
	json_t *o, *names = json_array();
	char from[40], to[40];
	size_t i;

	for (i = 0; f->name[i] != NULL; i++)
		(void)json_array_append_new(names, json_string(f->name[i]));
	clock_rfc3339(from, sizeof(from), f->not_before);
	clock_rfc3339(to, sizeof(to), f->not_after);
	o = json_pack("{s:s,s:s,s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:s}", "subject",
	    f->subject, "issuer", f->issuer, "cn", f->cn, "names", names,
	    "not_before", from, "not_after", to, "serial", f->serial, "key",
	    f->key, "signature", f->signature, "sha256", f->sha256);
	(void)json_object_set_new(o, "sha1", json_string(f->sha1));
	(void)json_object_set_new(o, "spki_sha256", json_string(f->spki));
	(void)json_object_set_new(o, "ca", json_boolean(f->ca));
	return o;
}

static json_t *
uses_json(struct certconfig *cc, const char *name)
{
	json_t *uses = json_array();
	const char *use;
	bool boot;
	unsigned i;

	for (i = 0; (use = certconfig_use_of(cc, name, i, &boot)) != NULL; i++)
		(void)json_array_append_new(uses, boot ?
		    json_sprintf("%s (boot file)", use) : json_string(use));
	for (i = 0; (use = certconfig_default_of(cc, name, i)) != NULL; i++)
		(void)json_array_append_new(uses,
		    json_sprintf("listener:%s (by default)", use));
	return uses;
}

static void
show_row(struct certconfig *cc, const json_t *o)
{
	msec after = json_integer_value(json_object_get(o, "not_after")) *
	    1000;
	json_t *use;
	char date[16];
	size_t i;

	(void)cc;
	if (json_object_get(o, "error") != NULL) {
		(void)printf("%-28s %s\n", text_of(o, "name"),
		    text_of(o, "error"));
		return;
	}
	certconfig_date(date, sizeof(date), after);
	(void)printf("%-28s %-10s %-11s %-24s", text_of(o, "name"), date,
	    text_of(o, "key"), text_of(o, "cn"));
	json_array_foreach(json_object_get(o, "uses"), i, use)
		(void)printf("%s%s", i == 0 ? " " : ", ",
		    json_string_value(use));
	if (i == 0)
		(void)printf(" -");
	if (after < clock_wall())
		(void)printf(" (EXPIRED)");
	else if (after < clock_wall() + 30 * DAY)
		(void)printf(" (expires in %d days)",
		    (int)((after - clock_wall()) / DAY));
	if (json_is_true(json_object_get(o, "demo")))
		(void)printf(" (demo, not verifiable)");
	else if (json_is_true(json_object_get(o, "self_signed")))
		(void)printf(" (self-signed)");
	(void)putchar('\n');
}

static void
show_entry(const json_t *o)
{
	json_int_t versions;
	json_t *use;
	size_t i;

	(void)printf("Name:      %s%s\n", text_of(o, "name"),
	    json_is_true(json_object_get(o, "demo")) ?
		" (demo, not verifiable)" : "");
	(void)printf("Files:     %s\n           %s\n", text_of(o, "file"),
	    text_of(o, "key_file"));
	(void)printf("Uses:      ");
	json_array_foreach(json_object_get(o, "uses"), i, use)
		(void)printf("%s%s", i == 0 ? "" : ", ",
		    json_string_value(use));
	(void)printf("%s\n", i == 0 ? "none" : "");
	(void)printf("Request:   %s\n",
	    json_is_true(json_object_get(o, "request")) ? "yes" : "no");
	versions = json_integer_value(json_object_get(o, "versions"));
	(void)printf("Earlier:   ");
	if (versions == 0)
		(void)printf("none\n");
	else
		(void)printf("1 to %d\n", (int)versions);
	show_chain(json_object_get(o, "chain"));
}

static void
show_chain(const json_t *chain)
{
	const json_t *f, *name;
	size_t i, k;

	json_array_foreach(chain, i, f) {
		(void)printf("Certificate %zu of %zu\n", i + 1,
		    json_array_size(chain));
		(void)printf("  Subject:   %s\n  Issuer:    %s\n",
		    text_of(f, "subject"), text_of(f, "issuer"));
		(void)printf("  Names:     ");
		json_array_foreach(json_object_get(f, "names"), k, name)
			(void)printf("%s%s", k == 0 ? "" : ", ",
			    json_string_value(name));
		(void)printf("%s\n", k == 0 ? "none" : "");
		(void)printf("  Valid:     %s to %s\n",
		    text_of(f, "not_before"), text_of(f, "not_after"));
		(void)printf("  Key:       %s, signed with %s\n",
		    text_of(f, "key"), text_of(f, "signature"));
		(void)printf("  Serial:    %s\n", text_of(f, "serial"));
		(void)printf("  SHA-256:   %s\n  SHA-1:     %s\n"
		    "  Key's SHA-256: %s\n", text_of(f, "sha256"),
		    text_of(f, "sha1"), text_of(f, "spki_sha256"));
	}
}

static int
check_one(struct certconfig *cc, const struct certstore_entry *e, bool fix,
    json_t *o, bool *ok, struct err *why)
{
	struct certpile *p = NULL, *roots = certpile_new();
	struct certchain c = { .pool = cc->pool };
	struct err trouble = ERR_INIT;
	json_t *all = json_array();
	bool fixed = false;
	unsigned i;
	int r;

	r = certconfig_roots(cc, roots, why);
	if (r == 0 && certconfig_load(cc, e, &p, &trouble) != 0) {
		add_finding(all, "fail", "unreadable", trouble.text);
		*ok = false;
	}
	if (p != NULL && fix)
		r = fix_one(cc, e, p, roots, &fixed, why);
	if (fixed) {
		certpile_destroy(&p);
		r = certconfig_load(cc, e, &p, why);
	}
	if (r == 0 && p != NULL)
		certchain_check(&c, p, roots, clock_wall());
	for (i = 0; i < c.n; i++) {
		add_finding(all, levels[c.v[i].level], c.v[i].word,
		    c.v[i].text);
		*ok = *ok && c.v[i].level != CERTCHAIN_FAIL;
	}
	if (certstore_is_default(e->name))
		add_finding(all, "warning", "demo", "a demonstration "
		    "certificate: not verifiable, not for production");
	check_files(e, certstore_dir(cc->cs), all, ok);
	(void)json_object_set_new(o, "fixed", json_boolean(fixed));
	(void)json_object_set_new(o, "verified", json_boolean(c.verified));
	(void)json_object_set_new(o, "findings", all);
	certpile_destroy(&p);
	certpile_destroy(&roots);
	return r;
}

/* A key is its owner's alone, and its owner is the store's or root. */
static void
check_files(const struct certstore_entry *e, const char *dir, json_t *all,
    bool *ok)
{
	const char *in = e->directory == NULL ? dir : e->directory;
	struct stat key, store;
	char text[600];

	if (stat(e->key, &key) != 0 || stat(in, &store) != 0)
		return;
	if ((key.st_mode & 07) != 0 ||
	    ((key.st_mode & 070) != 0 && e->directory == NULL)) {
		(void)snprintf(text, sizeof(text), "%s: the private key is "
		    "open to others (mode %04o); chmod 0600 it", e->key,
		    (unsigned)(key.st_mode & 07777));
		add_finding(all, "fail", "key-mode", text);
		*ok = false;
	} else if ((key.st_mode & 070) != 0) {
		(void)snprintf(text, sizeof(text), "%s: the private key is "
		    "open to its group (mode %04o)", e->key,
		    (unsigned)(key.st_mode & 07777));
		add_finding(all, "warning", "key-mode", text);
	}
	if (key.st_uid != store.st_uid && key.st_uid != 0) {
		(void)snprintf(text, sizeof(text), "%s: the private key "
		    "belongs to user %u, its directory to user %u", e->key,
		    (unsigned)key.st_uid, (unsigned)store.st_uid);
		add_finding(all, "fail", "key-owner", text);
		*ok = false;
	}
	if (e->directory == NULL && (store.st_mode & 022) != 0) {
		(void)snprintf(text, sizeof(text), "%s: others may write into "
		    "the store (mode %04o)", dir,
		    (unsigned)(store.st_mode & 07777));
		add_finding(all, "fail", "store-mode", text);
		*ok = false;
	}
}

static void
add_finding(json_t *all, const char *level, const char *word,
    const char *text)
{
	(void)json_array_append_new(all, json_pack("{s:s,s:s,s:s}", "level",
	    level, "word", word, "text", text));
}

static int
fix_one(struct certconfig *cc, const struct certstore_entry *e,
    const struct certpile *p, const struct certpile *roots, bool *fixed,
    struct err *why)
{
	struct certpile *chain = certpile_new();
	struct buf now, better;
	unsigned version;
	int r;

	buf_init(&now, CLEAN_MAX);
	buf_init(&better, CLEAN_MAX);
	r = certchain_clean(p, roots, clock_wall(), chain, why);
	if (r == 0 && (certpile_pem_all(p, &now) != 0 ||
			  certpile_pem_all(chain, &better) != 0))
		r = err_text(why, "the chain is too long");
	if (r == 0 && !str_eq(buf_str(&now), buf_str(&better))) {
		r = certstore_set_chain(cc->cs, e->name, buf_str(&better),
		    &version, why);
		*fixed = r == 0;
		cc->changed = cc->changed || *fixed;
	}
	buf_fini(&now);
	buf_fini(&better);
	certpile_destroy(&chain);
	return r == 0 ? 0 : err_prefix(why, "%s: ", e->name);
}

static void
show_check(const json_t *o, bool spaced)
{
	const json_t *f;
	size_t i;

	(void)printf("%s%s: %s\n", text_of(o, "name"),
	    json_is_true(json_object_get(o, "fixed")) ?
		" (a clean chain was written, the old one is kept)" : "",
	    json_is_true(json_object_get(o, "verified")) ?
		"verifiable" : "not verifiable");
	json_array_foreach(json_object_get(o, "findings"), i, f)
		(void)printf("  %-7s %-20s %s\n", text_of(f, "level"),
		    text_of(f, "word"), text_of(f, "text"));
	if (spaced && i > 0)
		(void)putchar('\n');
}

static const char *
text_of(const json_t *o, const char *member)
{
	const char *text = json_string_value(json_object_get(o, member));

	return text == NULL ? "" : text;
}

#include <stdio.h>
#include <stdlib.h>

#include "cli/certconfig.h"
#include "cli/cli.h"
#include "cli/prompt.h"

enum step { STEP_OK, STEP_FAILED, STEP_END };

struct operation {
	const char *word, *help;
	enum step (*run)(struct certconfig *, struct err *);
};

static enum step choose(struct certconfig *, const char *,
    const struct operation *, size_t, bool *, struct err *);
static const char *one_of(struct certconfig *, bool, enum step *);
static const char *question(struct certconfig *, const char *, const char *);
static enum step result(int);
static const char *new_secret(struct certconfig *, struct err *);
static enum step do_list(struct certconfig *, struct err *);
static enum step do_new(struct certconfig *, struct err *);
static enum step do_edit(struct certconfig *, struct err *);
static enum step do_print(struct certconfig *, struct err *);
static enum step do_renew(struct certconfig *, struct err *);
static enum step do_restore(struct certconfig *, struct err *);
static enum step do_import(struct certconfig *, struct err *);
static enum step do_export(struct certconfig *, struct err *);
static enum step do_check(struct certconfig *, struct err *);
static enum step do_assign(struct certconfig *, struct err *);
static enum step do_unassign(struct certconfig *, struct err *);
static enum step do_rename(struct certconfig *, struct err *);
static enum step do_delete(struct certconfig *, struct err *);
static enum step do_authority(struct certconfig *, struct err *);
static enum step ca_list(struct certconfig *, struct err *);
static enum step ca_system(struct certconfig *, struct err *);
static enum step ca_import(struct certconfig *, struct err *);
static enum step ca_export(struct certconfig *, struct err *);
static enum step ca_delete(struct certconfig *, struct err *);
static void on_progress(void *);

static const struct operation operations[] = {
	{ "NEW", "Create a self-signed certificate and a request (CSR).",
	    do_new },
	{ "EDIT", "Upload the signed certificate of a request.", do_edit },
	{ "PRINT", "Show a certificate in full.", do_print },
	{ "RENEW", "Make a new request for the key of a certificate.",
	    do_renew },
	{ "RESTORE", "Go back to an earlier version.", do_restore },
	{ "IMPORT", "Import a certificate and its key (PKCS#12 or PEM).",
	    do_import },
	{ "EXPORT", "Export a certificate and its key (PKCS#12).", do_export },
	{ "CHECK", "Check chains and names, and repair them.", do_check },
	{ "ASSIGN", "Say what a certificate is used for.", do_assign },
	{ "UNASSIGN", "Take a use away from a certificate.", do_unassign },
	{ "RENAME", "Give a certificate another name.", do_rename },
	{ "DELETE", "Remove a certificate.", do_delete },
	{ "CERTAUTHORITY", "Manage the lists of trusted roots.",
	    do_authority },
};

static const struct operation authority[] = {
	{ "LIST", "List the custom roots.", ca_list },
	{ "SYSTEM", "List the system's roots.", ca_system },
	{ "IMPORT", "Add roots from a file.", ca_import },
	{ "EXPORT", "Write the custom list to a file.", ca_export },
	{ "DELETE", "Remove a root from the custom list.", ca_delete },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

int
certconfig_menu(struct certconfig *cc)
{
	struct err why = ERR_INIT;
	bool left = false;
	enum step s = STEP_OK;

	cc->json = false;
	while (s != STEP_END && !left) {
		s = do_list(cc, &why);
		if (s == STEP_FAILED)
			return cli_fail("%s", why.text);
		s = choose(cc, "Choose the operation you want to perform:",
		    operations, COUNT(operations), &left, &why);
		certconfig_tell(cc);
	}
	return CLI_OK;
}

/* One operation. A failure is shown, and the dialogue goes on. */
static enum step
choose(struct certconfig *cc, const char *text, const struct operation *v,
    size_t n, bool *left, struct err *why)
{
	const char *line;
	struct str word;
	enum step s;
	size_t i;

	(void)printf("\n%s\n", text);
	for (i = 0; i < n; i++)
		(void)printf("- %s - %s\n", v[i].word, v[i].help);
	line = prompt_line(cc->pool, "", "");
	if (line == NULL)
		return STEP_END;
	word = str_trim(str_c(line));
	*left = word.n == 0;
	for (i = 0; i < n; i++) {
		if (str_ieq_c(word, v[i].word))
			break;
	}
	if (i == n) {
		if (word.n > 0)
			(void)printf("\"%.*s\" is none of the operations.\n",
			    STR_FMT(word));
		return STEP_OK;
	}
	err_clear(why);
	s = v[i].run(cc, why);
	if (s == STEP_FAILED)
		(void)printf("Failed: %s\n", why->text);
	(void)putchar('\n');
	return s == STEP_END ? STEP_END : STEP_OK;
}

static enum step
do_list(struct certconfig *cc, struct err *why)
{
	return result(certconfig_list(cc, why));
}

static enum step
do_new(struct certconfig *cc, struct err *why)
{
	static const char *const keys[] = { "RSA 2048", "RSA 3072",
		"RSA 4096", "ECDSA P-256", "ECDSA P-384" };
	static const unsigned bits[] = { 2048, 3072, 4096, 256, 384 };
	const char *name, *more, *days;
	const char *san[101] = { NULL };
	struct certmake m = { .progress = on_progress };
	struct str rest, word;
	unsigned i, n = 0, k;
	int r;

	if ((name = question(cc, "Enter a name for this certificate profile:",
		 "")) == NULL ||
	    (m.cn = question(cc, "Enter the common name (the host name that "
		"is in the MX record):", cc->conf->top.hostname)) == NULL ||
	    (more = question(cc, "Enter alternative names, separated by "
		"blanks:", m.cn)) == NULL ||
	    (m.organisation = question(cc, "Enter the organization:", "")) ==
		NULL ||
	    (m.unit = question(cc, "Enter the organizational unit:", "")) ==
		NULL ||
	    (m.locality = question(cc, "Enter the locality or city:", "")) ==
		NULL ||
	    (m.state = question(cc, "Enter the state or province:", "")) ==
		NULL ||
	    (m.country = question(cc, "Enter the country (two letters):",
		 "")) == NULL ||
	    (days = question(cc, "Enter the number of days it is valid:",
		 "365")) == NULL)
		return STEP_END;
	for (i = 0; i < COUNT(keys); i++)
		(void)printf("%u. %s\n", i + 1, keys[i]);
	k = prompt_number(cc->pool, "Choose the kind of the key:",
	    COUNT(keys), 1);
	if (k == 0)
		return STEP_END;
	m.type = k > 3 ? CERTMAKE_EC : CERTMAKE_RSA;
	m.bits = bits[k - 1];
	m.days = (unsigned)strtoul(days, NULL, 10);
	for (rest = str_c(more); n < 100 && str_word(&rest, &word);)
		san[n++] = pool_strndup(cc->pool, word.p, word.n);
	m.name = san;
	(void)printf("Making the key ");
	r = certconfig_create(cc, name, &m, why);
	(void)putchar('\n');
	if (r == 0) {
		(void)printf("Its request (CSR) for a certification "
		    "authority:\n\n");
		r = certconfig_csr(cc, name, NULL, why);
	}
	return result(r);
}

static enum step
do_edit(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, true, &s), *path;
	struct str rest, word;
	char *file[32];
	int n = 0, r;
	bool end = false, keep;

	if (name == NULL)
		return s;
	path = question(cc, "Enter the files of the signed certificate and its "
	    "intermediates, separated by blanks:", "");
	if (path == NULL)
		return STEP_END;
	keep = prompt_yes(cc->pool, "Keep the intermediates that are there?",
	    false, &end);
	if (end)
		return STEP_END;
	for (rest = str_c(path); n < 32 && str_word(&rest, &word);)
		file[n++] = pool_strndup(cc->pool, word.p, word.n);
	r = certconfig_upload(cc, name, file, n, keep, NULL, why);
	return result(r);
}

static enum step
do_print(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, false, &s);

	return name == NULL ? s : result(certconfig_show(cc, name,
					     why));
}

static enum step
do_renew(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, true, &s);

	return name == NULL ? s : result(certconfig_renew(cc, name,
					     NULL, why));
}

static enum step
do_restore(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, true, &s);
	struct certstore_entry e;
	unsigned version;

	if (name == NULL)
		return s;
	if (certstore_entry(cc->cs, name, &e, why) != 0)
		return STEP_FAILED;
	if (e.versions == 0) {
		(void)err_text(why, "\"%s\" has no earlier version", name);
		return STEP_FAILED;
	}
	version = prompt_number(cc->pool, "Enter the version to restore:",
	    e.versions, e.versions);
	return version == 0 ? STEP_END : result(certconfig_restore(cc, name,
					     version, why));
}

static enum step
do_import(struct certconfig *cc, struct err *why)
{
	const char *name, *path;
	struct str rest, word;
	char *file[32];
	int n = 0;

	if ((name = question(cc, "Enter a name for this certificate profile:",
		 "")) == NULL ||
	    (path = question(cc, "Enter the file (PKCS#12), or the files of "
		"certificate and key (PEM), separated by blanks:", "")) ==
		NULL)
		return STEP_END;
	for (rest = str_c(path); n < 32 && str_word(&rest, &word);)
		file[n++] = pool_strndup(cc->pool, word.p, word.n);
	if (n == 0) {
		(void)err_text(why, "no file was named");
		return STEP_FAILED;
	}
	return result(certconfig_import(cc, name, file, n, NULL, why));
}

static enum step
do_export(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, false, &s), *file, *pass;
	bool end = false, legacy;

	if (name == NULL)
		return s;
	file = question(cc, "Enter the name of the file to write:",
	    "certificate.p12");
	if (file == NULL)
		return STEP_END;
	legacy = prompt_yes(cc->pool, "Is it for an old program (3DES and "
	    "SHA-1)?", false, &end);
	if (end)
		return STEP_END;
	pass = new_secret(cc, why);
	if (pass == NULL)
		return STEP_FAILED;
	if (certconfig_export(cc, name, legacy ? CERTCONFIG_PKCS12_LEGACY :
		CERTCONFIG_PKCS12, pass, file, why) != 0)
		return STEP_FAILED;
	(void)printf("%s was written.\n", file);
	return STEP_OK;
}

static enum step
do_check(struct certconfig *cc, struct err *why)
{
	const char *domain;
	bool end = false, fix, ok;
	int r;

	fix = prompt_yes(cc->pool, "Shall chains be repaired where they "
	    "can?", false, &end);
	if (end)
		return STEP_END;
	r = certconfig_check(cc, NULL, fix, &ok, why);
	if (r != 0)
		return STEP_FAILED;
	domain = question(cc, "Enter a domain whose MX hosts shall be compared "
	    "(none: leave it empty):", "");
	if (domain == NULL)
		return STEP_END;
	if (domain[0] != '\0')
		r = certconfig_names(cc, domain, NULL, &ok, why);
	return result(r);
}

static enum step
do_assign(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, false, &s), *use[1003], *service;
	unsigned i, n = 0;

	if (name == NULL)
		return s;
	for (i = 0; n < 500 && i < cc->conf->nlistener; i++)
		use[n++] = pool_printf(cc->pool, "listener:%s",
		    cc->conf->listener[i].name);
	use[n++] = "outbound";
	use[n++] = "https";
	for (i = 0; n < 1000 && i < cc->conf->ndestination; i++)
		use[n++] = pool_printf(cc->pool, "destination:%s",
		    cc->conf->destination[i].name);
	use[n++] = "service:NAME";
	for (i = 0; i < n; i++)
		(void)printf("%u. %s\n", i + 1, use[i]);
	i = prompt_number(cc->pool, "Choose what it is used for:", n, 1);
	if (i == 0)
		return STEP_END;
	if (i == n) {
		service = question(cc, "Enter the name of the service that "
		    "shows it as a client:", "");
		if (service == NULL)
			return STEP_END;
		use[n - 1] = pool_printf(cc->pool, "service:%s", service);
	}
	return result(certconfig_assign(cc, name, use[i - 1], true, why));
}

static enum step
do_unassign(struct certconfig *cc, struct err *why)
{
	const char *use, *name;
	unsigned i, n;

	for (n = 0; certstore_use(cc->cs, n, &use, &name); n++)
		(void)printf("%u. %s: %s\n", n + 1, use, name);
	if (n == 0) {
		(void)err_text(why, "no certificate is assigned");
		return STEP_FAILED;
	}
	i = prompt_number(cc->pool, "Choose the use to take away:", n, 1);
	if (i == 0)
		return STEP_END;
	(void)certstore_use(cc->cs, i - 1, &use, &name);
	return result(certconfig_unassign(cc, use, name, why));
}

static enum step
do_rename(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, true, &s), *to;

	if (name == NULL)
		return s;
	to = question(cc, "Enter the new name:", name);
	if (to == NULL)
		return STEP_END;
	return result(certconfig_rename(cc, name, to, why));
}

static enum step
do_delete(struct certconfig *cc, struct err *why)
{
	enum step s = STEP_END;
	const char *name = one_of(cc, true, &s);
	bool end = false, sure;

	if (name == NULL)
		return s;
	sure = prompt_yes(cc->pool, pool_printf(cc->pool, "Are you sure you "
	    "want to delete \"%s\" and its key?", name), false, &end);
	if (end)
		return STEP_END;
	return sure ? result(certconfig_delete(cc, name, why)) : STEP_OK;
}

static enum step
do_authority(struct certconfig *cc, struct err *why)
{
	bool left = false;
	enum step s = STEP_OK;

	while (s != STEP_END && !left)
		s = choose(cc, "Choose the operation you want to perform:",
		    authority, COUNT(authority), &left, why);
	return s;
}

static enum step
ca_list(struct certconfig *cc, struct err *why)
{
	return result(certconfig_ca_list(cc, false, why));
}

static enum step
ca_system(struct certconfig *cc, struct err *why)
{
	return result(certconfig_ca_list(cc, true, why));
}

static enum step
ca_import(struct certconfig *cc, struct err *why)
{
	const char *path = question(cc, "Enter the file of the roots:", "");
	char *file;

	if (path == NULL)
		return STEP_END;
	file = pool_strdup(cc->pool, path);
	return result(certconfig_ca_import(cc, &file, 1, why));
}

static enum step
ca_export(struct certconfig *cc, struct err *why)
{
	const char *path = question(cc, "Enter the name of the file to write:",
	    "ca.pem");

	return path == NULL ? STEP_END : result(certconfig_ca_export(cc,
					     false, path, why));
}

static enum step
ca_delete(struct certconfig *cc, struct err *why)
{
	const char *which;

	if (certconfig_ca_list(cc, false, why) != 0)
		return STEP_FAILED;
	which = question(cc, "Enter the number of the root to delete:", "");
	return which == NULL ? STEP_END : result(certconfig_ca_delete(cc,
					      which, why));
}

/* A certificate by its number; own: only those that can be changed. NULL:
 * there is none, or the input ended, as *s_r says. */
static const char *
one_of(struct certconfig *cc, bool own, enum step *s_r)
{
	struct certstore_entry *v;
	struct err why = ERR_INIT;
	unsigned i, n, k = 0;
	const char **name;

	if (certstore_list(cc->cs, &v, &n, &why) != 0) {
		(void)printf("%s\n", why.text);
		*s_r = STEP_OK;
		return NULL;
	}
	name = pool_alloc(cc->pool, (n + 1) * sizeof(*name));
	for (i = 0; i < n; i++) {
		if (own && v[i].directory != NULL)
			continue;
		name[k++] = v[i].name;
		(void)printf("%u. [%s]\n", k, v[i].name);
	}
	if (k == 0) {
		(void)printf("There is no certificate.\n");
		*s_r = STEP_OK;
		return NULL;
	}
	*s_r = STEP_END;
	i = prompt_number(cc->pool, "Select the certificate profile:", k, 1);
	return i == 0 ? NULL : name[i - 1];
}

static const char *
question(struct certconfig *cc, const char *text, const char *def)
{
	const char *line = prompt_line(cc->pool, text, def);
	struct str s;

	if (line == NULL)
		return NULL;
	s = str_trim(str_c(line));
	return pool_strndup(cc->pool, s.p, s.n);
}

static enum step
result(int r)
{
	return r == 0 ? STEP_OK : STEP_FAILED;
}

static const char *
new_secret(struct certconfig *cc, struct err *why)
{
	const char *one, *two;

	one = prompt_secret(cc->pool, "New passphrase: ");
	if (one == NULL || one[0] == '\0') {
		(void)err_text(why, "an empty passphrase protects nothing");
		return NULL;
	}
	two = prompt_secret(cc->pool, "The same again: ");
	if (two == NULL || strcmp(one, two) != 0) {
		(void)err_text(why, "the two passphrases differ");
		return NULL;
	}
	return one;
}

static void
on_progress(void *arg)
{
	(void)arg;
	(void)putchar('.');
	(void)fflush(stdout);
}

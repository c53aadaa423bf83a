#include <stdio.h>
#include <stdlib.h>

#include "cli/certconfig.h"
#include "cli/cli.h"
#include "cli/menu.h"
#include "cli/prompt.h"

struct operation {
	struct menu_word w;
	enum menu_step (*run)(struct certconfig *, struct err *);
};

static enum menu_step choose(struct certconfig *, const struct operation *,
    size_t, bool *, struct err *);
static const char *ask(struct certconfig *, const char *, const char *);
static const char *one_of(struct certconfig *, bool, enum menu_step *);
static enum menu_step do_list(struct certconfig *, struct err *);
static enum menu_step do_new(struct certconfig *, struct err *);
static enum menu_step do_edit(struct certconfig *, struct err *);
static enum menu_step do_print(struct certconfig *, struct err *);
static enum menu_step do_renew(struct certconfig *, struct err *);
static enum menu_step do_restore(struct certconfig *, struct err *);
static enum menu_step do_import(struct certconfig *, struct err *);
static enum menu_step do_export(struct certconfig *, struct err *);
static enum menu_step do_check(struct certconfig *, struct err *);
static enum menu_step do_assign(struct certconfig *, struct err *);
static enum menu_step do_unassign(struct certconfig *, struct err *);
static enum menu_step do_rename(struct certconfig *, struct err *);
static enum menu_step do_delete(struct certconfig *, struct err *);
static enum menu_step do_authority(struct certconfig *, struct err *);
static enum menu_step ca_list(struct certconfig *, struct err *);
static enum menu_step ca_system(struct certconfig *, struct err *);
static enum menu_step ca_import(struct certconfig *, struct err *);
static enum menu_step ca_export(struct certconfig *, struct err *);
static enum menu_step ca_delete(struct certconfig *, struct err *);
static void on_progress(void *);

static const struct operation operations[] = {
	{ { "NEW", "Create a self-signed certificate and a request (CSR)." },
	    do_new },
	{ { "EDIT", "Upload the signed certificate of a request." }, do_edit },
	{ { "PRINT", "Show a certificate in full." }, do_print },
	{ { "RENEW", "Make a new request for the key of a certificate." },
	    do_renew },
	{ { "RESTORE", "Go back to an earlier version." }, do_restore },
	{ { "IMPORT", "Import a certificate and its key (PKCS#12 or PEM)." },
	    do_import },
	{ { "EXPORT", "Export a certificate and its key (PKCS#12)." },
	    do_export },
	{ { "CHECK", "Check chains and names, and repair them." }, do_check },
	{ { "ASSIGN", "Say what a certificate is used for." }, do_assign },
	{ { "UNASSIGN", "Take a use away from a certificate." }, do_unassign },
	{ { "RENAME", "Give a certificate another name." }, do_rename },
	{ { "DELETE", "Remove a certificate." }, do_delete },
	{ { "CERTAUTHORITY", "Manage the lists of trusted roots." },
	    do_authority },
};

static const struct operation authority[] = {
	{ { "LIST", "List the custom roots." }, ca_list },
	{ { "SYSTEM", "List the system's roots." }, ca_system },
	{ { "IMPORT", "Add roots from a file." }, ca_import },
	{ { "EXPORT", "Write the custom list to a file." }, ca_export },
	{ { "DELETE", "Remove a root from the custom list." }, ca_delete },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

int
certconfig_menu(struct certconfig *cc)
{
	struct err why = ERR_INIT;
	enum menu_step s = MENU_OK;
	bool left = false;

	cc->json = false;
	while (s != MENU_END && !left) {
		if (do_list(cc, &why) == MENU_FAILED)
			return cli_fail("%s", why.text);
		s = choose(cc, operations, COUNT(operations), &left, &why);
		certconfig_tell(cc);
	}
	return CLI_OK;
}

/* One operation. A failure is shown, and the dialogue goes on. */
static enum menu_step
choose(struct certconfig *cc, const struct operation *v, size_t n,
    bool *left_r, struct err *why)
{
	int i = menu_choose(cc->pool, v, sizeof(*v), n);
	enum menu_step s;

	*left_r = i == MENU_LEFT;
	if (i < 0)
		return i == MENU_LEFT ? MENU_OK : MENU_END;
	err_clear(why);
	s = menu_told(v[i].run(cc, why), why);
	(void)putchar('\n');
	return s;
}

static enum menu_step
do_list(struct certconfig *cc, struct err *why)
{
	return menu_step(certconfig_list(cc, why));
}

static enum menu_step
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

	if ((name = ask(cc, "Enter a name for this certificate profile:",
		 "")) == NULL ||
	    (m.cn = ask(cc, "Enter the common name (the host name that "
		"is in the MX record):", cc->conf->top.hostname)) == NULL ||
	    (more = ask(cc, "Enter alternative names, separated by "
		"blanks:", m.cn)) == NULL ||
	    (m.organisation = ask(cc, "Enter the organization:", "")) ==
		NULL ||
	    (m.unit = ask(cc, "Enter the organizational unit:", "")) ==
		NULL ||
	    (m.locality = ask(cc, "Enter the locality or city:", "")) ==
		NULL ||
	    (m.state = ask(cc, "Enter the state or province:", "")) ==
		NULL ||
	    (m.country = ask(cc, "Enter the country (two letters):",
		 "")) == NULL ||
	    (days = ask(cc, "Enter the number of days it is valid:",
		 "365")) == NULL)
		return MENU_END;
	for (i = 0; i < COUNT(keys); i++)
		(void)printf("%u. %s\n", i + 1, keys[i]);
	k = prompt_number(cc->pool, "Choose the kind of the key:",
	    COUNT(keys), 1);
	if (k == 0)
		return MENU_END;
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
	return menu_step(r);
}

static enum menu_step
do_edit(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, true, &s), *path;
	struct str rest, word;
	char *file[32];
	int n = 0, r;
	bool end = false, keep;

	if (name == NULL)
		return s;
	path = ask(cc, "Enter the files of the signed certificate and its "
	    "intermediates, separated by blanks:", "");
	if (path == NULL)
		return MENU_END;
	keep = prompt_yes(cc->pool, "Keep the intermediates that are there?",
	    false, &end);
	if (end)
		return MENU_END;
	for (rest = str_c(path); n < 32 && str_word(&rest, &word);)
		file[n++] = pool_strndup(cc->pool, word.p, word.n);
	r = certconfig_upload(cc, name, file, n, keep, NULL, why);
	return menu_step(r);
}

static enum menu_step
do_print(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, false, &s);

	return name == NULL ? s : menu_step(certconfig_show(cc, name,
					     why));
}

static enum menu_step
do_renew(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, true, &s);

	return name == NULL ? s : menu_step(certconfig_renew(cc, name,
					     NULL, why));
}

static enum menu_step
do_restore(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, true, &s);
	struct certstore_entry e;
	unsigned version;

	if (name == NULL)
		return s;
	if (certstore_entry(cc->cs, name, &e, why) != 0)
		return MENU_FAILED;
	if (e.versions == 0) {
		(void)err_text(why, "\"%s\" has no earlier version", name);
		return MENU_FAILED;
	}
	version = prompt_number(cc->pool, "Enter the version to restore:",
	    e.versions, e.versions);
	return version == 0 ? MENU_END : menu_step(certconfig_restore(cc, name,
					     version, why));
}

static enum menu_step
do_import(struct certconfig *cc, struct err *why)
{
	const char *name, *path;
	struct str rest, word;
	char *file[32];
	int n = 0;

	if ((name = ask(cc, "Enter a name for this certificate profile:",
		 "")) == NULL ||
	    (path = ask(cc, "Enter the file (PKCS#12), or the files of "
		"certificate and key (PEM), separated by blanks:", "")) ==
		NULL)
		return MENU_END;
	for (rest = str_c(path); n < 32 && str_word(&rest, &word);)
		file[n++] = pool_strndup(cc->pool, word.p, word.n);
	if (n == 0) {
		(void)err_text(why, "no file was named");
		return MENU_FAILED;
	}
	return menu_step(certconfig_import(cc, name, file, n, NULL, why));
}

static enum menu_step
do_export(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, false, &s), *file, *pass;
	bool end = false, legacy;

	if (name == NULL)
		return s;
	file = ask(cc, "Enter the name of the file to write:",
	    "certificate.p12");
	if (file == NULL)
		return MENU_END;
	legacy = prompt_yes(cc->pool, "Is it for an old program (3DES and "
	    "SHA-1)?", false, &end);
	if (end)
		return MENU_END;
	if (certconfig_passphrase(cc->pool, NULL, true, &pass, why) != 0)
		return MENU_FAILED;
	if (certconfig_export(cc, name, legacy ? CERTCONFIG_PKCS12_LEGACY :
		CERTCONFIG_PKCS12, pass, file, why) != 0)
		return MENU_FAILED;
	(void)printf("%s was written.\n", file);
	return MENU_OK;
}

static enum menu_step
do_check(struct certconfig *cc, struct err *why)
{
	const char *domain;
	bool end = false, fix, ok;
	int r;

	fix = prompt_yes(cc->pool, "Shall chains be repaired where they "
	    "can?", false, &end);
	if (end)
		return MENU_END;
	r = certconfig_check(cc, NULL, fix, &ok, why);
	if (r != 0)
		return MENU_FAILED;
	domain = ask(cc, "Enter a domain whose MX hosts shall be compared "
	    "(none: leave it empty):", "");
	if (domain == NULL)
		return MENU_END;
	if (domain[0] != '\0')
		r = certconfig_names(cc, domain, NULL, &ok, why);
	return menu_step(r);
}

static enum menu_step
do_assign(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
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
		return MENU_END;
	if (i == n) {
		service = ask(cc, "Enter the name of the service that "
		    "shows it as a client:", "");
		if (service == NULL)
			return MENU_END;
		use[n - 1] = pool_printf(cc->pool, "service:%s", service);
	}
	return menu_step(certconfig_assign(cc, name, use[i - 1], true, why));
}

static enum menu_step
do_unassign(struct certconfig *cc, struct err *why)
{
	const char *use, *name;
	unsigned i, n;

	for (n = 0; certstore_use(cc->cs, n, &use, &name); n++)
		(void)printf("%u. %s: %s\n", n + 1, use, name);
	if (n == 0) {
		(void)err_text(why, "no certificate is assigned");
		return MENU_FAILED;
	}
	i = prompt_number(cc->pool, "Choose the use to take away:", n, 1);
	if (i == 0)
		return MENU_END;
	(void)certstore_use(cc->cs, i - 1, &use, &name);
	return menu_step(certconfig_unassign(cc, use, name, why));
}

static enum menu_step
do_rename(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, true, &s), *to;

	if (name == NULL)
		return s;
	to = ask(cc, "Enter the new name:", name);
	if (to == NULL)
		return MENU_END;
	return menu_step(certconfig_rename(cc, name, to, why));
}

static enum menu_step
do_delete(struct certconfig *cc, struct err *why)
{
	enum menu_step s = MENU_END;
	const char *name = one_of(cc, true, &s);
	bool end = false, sure;

	if (name == NULL)
		return s;
	sure = prompt_yes(cc->pool, pool_printf(cc->pool, "Are you sure you "
	    "want to delete \"%s\" and its key?", name), false, &end);
	if (end)
		return MENU_END;
	return sure ? menu_step(certconfig_delete(cc, name, why)) : MENU_OK;
}

static enum menu_step
do_authority(struct certconfig *cc, struct err *why)
{
	bool left = false;
	enum menu_step s = MENU_OK;

	while (s != MENU_END && !left)
		s = choose(cc, authority, COUNT(authority), &left, why);
	return s;
}

static enum menu_step
ca_list(struct certconfig *cc, struct err *why)
{
	return menu_step(certconfig_ca_list(cc, false, why));
}

static enum menu_step
ca_system(struct certconfig *cc, struct err *why)
{
	return menu_step(certconfig_ca_list(cc, true, why));
}

static enum menu_step
ca_import(struct certconfig *cc, struct err *why)
{
	const char *path = ask(cc, "Enter the file of the roots:", "");
	char *file;

	if (path == NULL)
		return MENU_END;
	file = pool_strdup(cc->pool, path);
	return menu_step(certconfig_ca_import(cc, &file, 1, why));
}

static enum menu_step
ca_export(struct certconfig *cc, struct err *why)
{
	const char *path = ask(cc, "Enter the name of the file to write:",
	    "ca.pem");

	return path == NULL ? MENU_END : menu_step(certconfig_ca_export(cc,
					     false, path, why));
}

static enum menu_step
ca_delete(struct certconfig *cc, struct err *why)
{
	const char *which;

	if (certconfig_ca_list(cc, false, why) != 0)
		return MENU_FAILED;
	which = ask(cc, "Enter the number of the root to delete:", "");
	return which == NULL ? MENU_END : menu_step(certconfig_ca_delete(cc,
					      which, why));
}

static const char *
ask(struct certconfig *cc, const char *text, const char *def)
{
	return menu_ask(cc->pool, text, def);
}

/* A certificate by its number; own: only those that can be changed. NULL:
 * there is none, or the input ended, as *s_r says. */
static const char *
one_of(struct certconfig *cc, bool own, enum menu_step *s_r)
{
	struct certstore_entry *v;
	struct err why = ERR_INIT;
	unsigned i, n, k = 0;
	const char **name;

	if (certstore_list(cc->cs, &v, &n, &why) != 0) {
		(void)printf("%s\n", why.text);
		*s_r = MENU_OK;
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
		*s_r = MENU_OK;
		return NULL;
	}
	*s_r = MENU_END;
	i = prompt_number(cc->pool, "Select the certificate profile:", k, 1);
	return i == 0 ? NULL : name[i - 1];
}

static void
on_progress(void *arg)
{
	(void)arg;
	(void)putchar('.');
	(void)fflush(stdout);
}

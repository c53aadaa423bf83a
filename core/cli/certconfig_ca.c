#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "cli/certconfig.h"

#define LIST_MAX (16 * 1024 * 1024)

static json_t *row(struct certconfig *, const struct certpile *, unsigned);
static int save(struct certconfig *, struct err *);
static int find(struct certconfig *, const char *, unsigned *, struct err *);

int
certconfig_ca_list(struct certconfig *cc, bool system, struct err *why)
{
	json_t *all = json_array(), *o;
	const struct certpile *p;
	size_t at;
	unsigned i;

	if (certconfig_lists(cc, why) != 0) {
		json_decref(all);
		return -1;
	}
	p = system ? cc->system : cc->custom;
	for (i = 0; i < certpile_count(p); i++)
		(void)json_array_append_new(all, row(cc, p, i));
	if (cc->json) {
		certconfig_print(json_pack("{s:s,s:o}", "list",
		    system ? "system" : "custom", "roots", all));
		return 0;
	}
	if (json_array_size(all) == 0)
		(void)printf("The list is empty.\n");
	json_array_foreach(all, at, o)
		(void)printf("%3zu. %s%s\n     valid until %s, SHA-256 %s\n",
		    at + 1,
		    json_string_value(json_object_get(o, "subject")),
		    json_is_true(json_object_get(o, "expired")) ?
			" (EXPIRED, not trusted)" : "",
		    json_string_value(json_object_get(o, "not_after")),
		    json_string_value(json_object_get(o, "sha256")));
	json_decref(all);
	return 0;
}

int
certconfig_ca_import(struct certconfig *cc, char *const *file, int nfile,
    struct err *why)
{
	struct certchain c = { .pool = cc->pool };
	struct certpile *news = certpile_new();
	unsigned added = 0;
	json_t *o;
	int i, r;

	r = certconfig_lists(cc, why);
	for (i = 0; r == 0 && i < nfile; i++)
		r = certconfig_read(cc, news, file[i], NULL, why);
	if (r == 0) {
		added = certchain_add_roots(&c, cc->custom, news, cc->system,
		    clock_wall());
		if (added > 0)
			r = save(cc, why);
	}
	certpile_destroy(&news);
	if (r != 0)
		return -1;
	o = json_pack("{s:s,s:i}", "done", "imported", "added", (int)added);
	certconfig_findings(cc, &c, o);
	if (cc->json)
		certconfig_print(o);
	else
		(void)printf("%u added to the custom list.\n", added);
	if (!cc->json)
		json_decref(o);
	return added > 0 ? 0 : err_text(why, "nothing was added");
}

int
certconfig_ca_delete(struct certconfig *cc, const char *which,
    struct err *why)
{
	struct certfact f;
	unsigned i = 0;

	if (certconfig_lists(cc, why) != 0 || find(cc, which, &i, why) != 0)
		return -1;
	certpile_fact(cc->custom, i, cc->pool, &f);
	certpile_remove(cc->custom, i);
	if (save(cc, why) != 0)
		return -1;
	if (cc->json)
		certconfig_print(json_pack("{s:s,s:s}", "done", "deleted",
		    "sha256", f.sha256));
	else
		(void)printf("%s was deleted.\n", f.subject);
	return 0;
}

int
certconfig_ca_export(struct certconfig *cc, bool system, const char *file,
    struct err *why)
{
	struct buf pem;
	int r;

	buf_init(&pem, LIST_MAX);
	r = certconfig_lists(cc, why);
	if (r == 0 && certpile_pem_all(system ? cc->system : cc->custom,
			  &pem) != 0)
		r = err_text(why, "the list is too long");
	if (r == 0)
		r = certconfig_write(file, buf_str(&pem), false, why);
	buf_fini(&pem);
	return r;
}

static json_t *
row(struct certconfig *cc, const struct certpile *p, unsigned i)
{
	struct certfact f;
	char date[16];

	certpile_fact(p, i, cc->pool, &f);
	certconfig_date(date, sizeof(date), f.not_after);
	return json_pack("{s:s,s:s,s:s,s:s,s:b}", "subject", f.subject,
	    "issuer", f.issuer, "not_after", date, "sha256", f.sha256,
	    "expired", certchain_expired(p, i, clock_wall()));
}

static int
save(struct certconfig *cc, struct err *why)
{
	struct buf pem;
	int r;

	buf_init(&pem, LIST_MAX);
	r = certpile_pem_all(cc->custom, &pem);
	if (r != 0)
		r = err_text(why, "the list is too long");
	else
		r = certstore_set_ca(cc->cs, buf_str(&pem), why);
	buf_fini(&pem);
	cc->changed = cc->changed || r == 0;
	return r;
}

/* By its number in the list, or the first digits of its fingerprint. */
static int
find(struct certconfig *cc, const char *which, unsigned *i_r,
    struct err *why)
{
	unsigned i, n = certpile_count(cc->custom), hits = 0;
	struct certfact f;
	uint64_t number;

	if (num_u64(str_c(which), n, &number) == 0 && number > 0) {
		*i_r = (unsigned)number - 1;
		return 0;
	}
	for (i = 0; strlen(which) >= 8 && i < n; i++) {
		certpile_fact(cc->custom, i, cc->pool, &f);
		if (str_istarts(str_c(f.sha256), which)) {
			*i_r = i;
			hits++;
		}
	}
	if (hits == 1)
		return 0;
	return err_text(why, hits == 0 ? "\"%.80s\" is in the list neither by "
	    "number nor by SHA-256 fingerprint (at least 8 digits)" :
	    "\"%.80s\" begins more than one fingerprint", which);
}

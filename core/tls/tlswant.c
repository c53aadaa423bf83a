#include "tls/tlswant.h"

#include "base/buf.h"
#include "base/coll.h"
#include "base/die.h"

enum { KEY_MAX = 65536 };

static const char *const level_name[] = {
	[TLSWANT_NONE] = "none",
	[TLSWANT_OPPORTUNISTIC] = "opportunistic",
	[TLSWANT_PREFERRED] = "preferred",
	[TLSWANT_PREFERRED_VERIFY] = "preferred-verify",
	[TLSWANT_REQUIRED] = "required",
	[TLSWANT_REQUIRED_VERIFY] = "required-verify",
};

bool
tlswant_parse(struct str text, enum tlswant_level *level_r)
{
	unsigned i;

	for (i = 0; i < sizeof(level_name) / sizeof(level_name[0]); i++) {
		if (str_ieq_c(text, level_name[i])) {
			*level_r = (enum tlswant_level)i;
			return true;
		}
	}
	return false;
}

int
tlswant_read(struct tlswant *w_r, struct str text, struct pool *pool,
    struct err *why)
{
	(void)pool;
	*w_r = (struct tlswant){ .level = TLSWANT_NONE };
	if (tlswant_parse(text, &w_r->level))
		return 0;
	return err_text(why, "\"%.*s\" is no TLS level: none, opportunistic, "
	    "preferred, preferred-verify, required, required-verify, "
	    "required-verify-hosted or forced", STR_FMT(text));
}

void
tlswant_write(const struct tlswant *w, struct buf *dst)
{
	(void)buf_add_c(dst, tlswant_name(w->level));
}

const char *
tlswant_name(enum tlswant_level level)
{
	ASSERT((unsigned)level < sizeof(level_name) / sizeof(level_name[0]));
	return level_name[level];
}

bool
tlswant_clear_ok(enum tlswant_level level)
{
	return level < TLSWANT_REQUIRED;
}

bool
tlswant_verifies(enum tlswant_level level)
{
	return level == TLSWANT_PREFERRED_VERIFY ||
	       level == TLSWANT_REQUIRED_VERIFY;
}

/*
 * Only what is compared with the certificate tells wants of one level apart.
 * Names are separated by what no name contains.
 */
uint64_t
tlswant_key(const struct tlswant *w, struct str domain)
{
	struct buf text;
	uint64_t key;
	unsigned i;
	bool fits;

	buf_init(&text, KEY_MAX);
	fits = buf_printf(&text, "%u", (unsigned)w->level) == 0;
	if (tlswant_verifies(w->level) && w->names == NULL)
		fits = fits && buf_add_char(&text, '\0') == 0 &&
		       buf_add_str(&text, domain) == 0;
	for (i = 0; tlswant_verifies(w->level) && w->names != NULL &&
		    w->names[i] != NULL;
	     i++)
		fits = fits && buf_add_char(&text, '\n') == 0 &&
		       buf_add_c(&text, w->names[i]) == 0;
	if (!fits)
		panic("the names of a TLS want fill 64 KB");
	key = hash_istr(buf_str(&text));
	buf_fini(&text);
	return key;
}

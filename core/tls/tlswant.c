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

bool
tlswant_insists(enum tlswant_level level)
{
	return level == TLSWANT_REQUIRED_VERIFY;
}

/*
 * Who waits how long is no matter of the connection. Names fold case, paths
 * and ciphers do not; the domain counts where it may be a name that is looked
 * for. A line end is in none of them.
 */
uint64_t
tlswant_key(const struct tlswant *w, struct str domain)
{
	struct tlswant lasting = *w;
	struct buf text;
	uint64_t key;
	size_t n;

	lasting.deadline = lasting.warn_after = 0;
	buf_init(&text, KEY_MAX);
	tlswant_write(&lasting, &text);
	(void)buf_add_char(&text, '\n');
	if (tlswant_verifies(w->level) && w->match != TLSWANT_MATCH_NAMES) {
		n = buf_len(&text);
		(void)buf_add_str(&text, domain);
		str_lower(buf_p(&text) + n, buf_len(&text) - n);
	}
	if (buf_full(&text))
		panic("a TLS want of more than 64 KB");
	key = hash_bytes(buf_p(&text), buf_len(&text));
	buf_fini(&text);
	return key;
}

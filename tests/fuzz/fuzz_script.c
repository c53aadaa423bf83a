/*
 * Scripts of posternstub: any octets are statements or an error that names a
 * line; what was parsed keeps what the statements' table promises.
 */

#include <stdint.h>
#include <string.h>

#include "script.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct outside outside = { "/tmp/x", "127.0.0.2" };
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	const struct stmt *s;
	struct script script;
	unsigned i;
	int line = 0;

	if (script_parse(&script, pool, "fuzz", &outside,
		str_n((const char *)data, n), &why) < 0) {
		ASSERT(strncmp(why.text, "fuzz:", 5) == 0);
		pool_destroy(&pool);
		return 0;
	}
	for (s = script.first; s != NULL; s = s->next) {
		ASSERT(s->line > line && s->id < WORD_COUNT);
		line = s->line;
		ASSERT(!s->want.never || s->id == WORD_CHAOS);
		for (i = 0; i < s->n; i++) {
			ASSERT(s->word[i].s != NULL);
			ASSERT(s->word[i].key == NULL ||
			    s->word[i].value != NULL);
			if (s->word[i].regex != NULL)
				(void)regex_in(s->word[i].regex,
				    str_c(s->text));
		}
		if (s->want.text != NULL && s->want.text->regex != NULL)
			(void)regex_in(s->want.text->regex, str_c(s->text));
	}
	pool_destroy(&pool);
	return 0;
}

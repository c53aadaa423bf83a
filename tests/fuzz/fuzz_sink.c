/*
 * Words of the sink: whatever was taken acts within its table, and what holds
 * changes only at the connections that sink_words_next() names.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "cli/sink_fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_setting(const struct sink_setting *s)
{
	char text[32];

	ASSERT(s->road < FAULTS && s->version < FAULTS);
	ASSERT((unsigned)s->kind < CERTLAB_KINDS);
	ASSERT(s->road_code == 0 ||
	    (s->road_code >= 400 && s->road_code < 600));
	ASSERT(s->mail_code < 600 && s->rcpt_code < 600);
	(void)sink_fault_text(s->road, s->road_code, text, sizeof(text));
	ASSERT(strlen(text) < sizeof(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink_words w = { 0 }, other = { 0 };
	struct err why = ERR_INIT;
	struct sink_setting s, before;
	uint64_t n = 0, next;
	char *text;

	text = mem_zalloc(size + 1);
	if (size > 0)
		memcpy(text, data, size);
	if (sink_words_add(&w, text, &why) == 0) {
		ASSERT(w.n <= SINK_WORDS && w.names <= SINK_NAMES);
		ASSERT(w.name[w.names] == NULL);
		(void)sink_words_check(&w, &why);
		do {
			sink_words_at(&w, n, &s);
			check_setting(&s);
			next = sink_words_next(&w, n);
			if (next > n + 1) {
				sink_words_at(&w, next - 1, &before);
				ASSERT(memcmp(&s, &before, sizeof(s)) == 0);
			}
			n = next;
		} while (n != 0);
		sink_words_default(&other, &w);
		ASSERT(sink_words_cert(&other) == sink_words_cert(&w));
	} else {
		ASSERT(why.text[0] != '\0');
	}
	mem_free(text);
	return 0;
}

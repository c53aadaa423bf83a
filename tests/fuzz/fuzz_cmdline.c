/*
 * Command lines: the same events for any cut, and nothing in a line that is
 * not of the line.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "smtp/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { EVENTS = 4096 };

struct run {
	struct cmdline c;
	const char *p;
	size_t from, limit, n;
	struct event {
		enum cmdline_status st;
		size_t at;
	} v[EVENTS];
};

static void
check_line(struct str line)
{
	struct str verb, arg;

	ASSERT(memchr(line.p, '\0', line.n) == NULL);
	ASSERT(memchr(line.p, '\r', line.n) == NULL);
	ASSERT(memchr(line.p, '\n', line.n) == NULL);
	cmdline_split(line, &verb, &arg);
	ASSERT(verb.n + arg.n <= line.n && verb.p == line.p);
	ASSERT(arg.n == 0 || arg.p + arg.n <= line.p + line.n);
}

static void
feed(struct run *r, size_t to)
{
	enum cmdline_status st;
	size_t used, limit;

	for (;;) {
		limit = r->limit;
		if (limit == 0)
			limit = cmdline_limit(r->p + r->from, to - r->from);
		st = cmdline_scan(
		    &r->c, r->p + r->from, to - r->from, limit, &used);
		ASSERT(used <= to - r->from);
		ASSERT(st == CMDLINE_MORE || used > 0);
		if (st == CMDLINE_LINE) {
			ASSERT(used <= limit);
			check_line(str_n(r->p + r->from, used - 2));
		}
		r->from += used;
		if (st == CMDLINE_MORE)
			return;
		if (r->n < EVENTS)
			r->v[r->n++] = (struct event){ st, r->from };
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run whole, cut;
	const char *p = (const char *)data + 2;
	size_t i, step;

	if (size < 2)
		return 0;
	size -= 2;
	memset(&whole, 0, sizeof(whole));
	whole.p = p;
	whole.limit = data[0];
	cut = whole;
	feed(&whole, size);
	step = data[1] % 16 + 1u;
	for (i = 0; i < size; i += step)
		feed(&cut, i);
	feed(&cut, size);
	ASSERT(whole.n == cut.n);
	for (i = 0; i < whole.n; i++) {
		ASSERT(whole.v[i].st == cut.v[i].st);
		ASSERT(whole.v[i].at == cut.v[i].at);
	}
	return 0;
}

/*
 * A message, in pieces of a size that its first octet says, through the plugin
 * mime: whatever it is, looking into it ends within its limits, what was found
 * is UTF-8, and the size of the pieces makes no difference.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const kinds[] = { "zip", "7z", "rar", "tar", "gz", "cab",
	"lha", "iso", NULL };

static const struct limits lim = { .parts = 40, .depth = 5, .entries = 40,
	.unpacked = 1 << 20, .ratio = 100, .text = 8192, .cpu = 60000,
	.tmp = ".", .archives = kinds };

static GString *
look(const char *p, size_t n, size_t step)
{
	struct found *f = found_new();
	GString *out = g_string_new(NULL), *json;
	struct scan *s;
	struct look k;
	size_t i, some;

	look_init(&k, &lim, f);
	look_begin(&k);
	s = scan_new(&k, 0, "");
	for (i = 0; i < n; i += some) {
		some = n - i < step ? n - i : step;
		scan_feed(s, p + i, some);
	}
	scan_end(s);
	scan_free(s);
	look_end(&k);
	if (f->text > (size_t)lim.text || k.parts > lim.parts + 1 ||
	    k.entries > lim.entries + 1)
		abort();
	for (i = 0; i < f->rows->len; i++) {
		json = found_json(found_at(f, (unsigned)i));
		(void)g_string_append_len(out, json->str, (gssize)json->len);
		(void)g_string_free(json, TRUE);
	}
	for (i = 0; i < f->texts->len; i++) {
		const GString *text = f->texts->pdata[i];

		(void)g_string_append_len(out, text->str, (gssize)text->len);
	}
	if (!g_utf8_validate(out->str, (gssize)out->len, NULL))
		abort();
	found_free(f);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GString *whole, *pieces;
	const char *p;

	if (size == 0)
		return 0;
	look_setup();
	p = (const char *)data + 1;
	whole = look(p, size - 1, size);
	pieces = look(p, size - 1, (size_t)data[0] + 1);
	if (!g_string_equal(whole, pieces))
		abort();
	(void)g_string_free(whole, TRUE);
	(void)g_string_free(pieces, TRUE);
	return 0;
}

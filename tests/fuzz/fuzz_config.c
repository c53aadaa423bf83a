/*
 * Objects of the configuration store: whatever is in a text is refused with a
 * reason, or written so that it is read as the same, and it goes over a boot
 * file or is refused.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"
#include "policy/conf.h"
#include "policy/conf_object.h"

#define BOOT "listener \"in\" { address = \"127.0.0.1:25\" }\n"                \
	"destination \"Example.COM\" { tls = \"none\" }\n"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
write_all(const struct conf_object *v, unsigned n, struct buf *dst)
{
	unsigned i;

	buf_init(dst, CONF_OVER_MAX);
	for (i = 0; i < n; i++)
		conf_object_save(&v[i], dst);
}

/* Of a file that is loaded, or as a revision, which knows no lines. */
static void
over(struct str text, bool lines)
{
	struct conf_over o = { .text = text, .name = "f", .lines = lines };
	struct err why = ERR_INIT;
	struct conf *c = NULL;

	if (conf_parse_over(&c, "/f/boot.lua", str_c(BOOT), &o,
		&conf_reader_none, &why) != 0)
		ASSERT(why.text[0] != '\0');
	conf_unref(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = str_n((const char *)p, n);
	struct pool *pool = pool_new(0);
	struct conf_object *v, *again;
	struct err why = ERR_INIT;
	struct buf one, two;
	unsigned nv, nagain;

	over(text, true);
	over(text, false);
	if (conf_objects_saved(pool, "f", text, &v, &nv, &why) == 0) {
		write_all(v, nv, &one);
		ASSERT(conf_objects_saved(pool, "f", buf_str(&one), &again,
		    &nagain, &why) == 0);
		ASSERT(nagain == nv);
		ASSERT(nv == 0 || v[0].node == again[0].node);
		write_all(again, nagain, &two);
		ASSERT(str_eq(buf_str(&one), buf_str(&two)));
		buf_fini(&one);
		buf_fini(&two);
	} else {
		ASSERT(why.text[0] != '\0');
	}
	pool_destroy(&pool);
	return 0;
}

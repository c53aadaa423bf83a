/*
 * Files of host access tables, and of the recipient access table (with a first
 * octet of "R"): each is refused with its line; or it becomes the table, which
 * is written as a file that is read as the same and written again octet by
 * octet; or the table cannot be, and why is said.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "base/file.h"
#include "cli/listenerconfig.h"
#include "confplace.h"

#define BOOT "hostname = \"mx.relay.example\"\n"                               \
	"listener \"in\" { address = \"127.0.0.1:25\" }\n"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char listener[] = "in";

static const char *
path_of(const char *name, char *dst, size_t room)
{
	(void)snprintf(dst, room, "%s/%s", confplace(BOOT)->dir, name);
	return dst;
}

static int
run(struct listenerconfig *lc, bool rat, bool in, char *path, struct err *why)
{
	char *hat_args[] = { listener, path, NULL };

	lc->arg = rat ? hat_args + 1 : hat_args;
	lc->n = rat ? 1 : 2;
	if (in)
		return rat ? rat_import(lc, why) : hat_import(lc, why);
	return rat ? rat_export(lc, why) : hat_export(lc, why);
}

static bool
same(const char *one, const char *two)
{
	struct err why = ERR_INIT;
	struct buf a, b;
	bool is;

	buf_init(&a, CONF_OVER_MAX);
	buf_init(&b, CONF_OVER_MAX);
	ASSERT(file_read(&a, one, &why) == 0);
	ASSERT(file_read(&b, two, &why) == 0);
	is = str_eq(buf_str(&a), buf_str(&b));
	buf_fini(&a);
	buf_fini(&b);
	return is;
}

static void
round_trip(struct listenerconfig *lc, bool rat)
{
	char one[96], two[96];
	struct err why = ERR_INIT;

	(void)path_of("one", one, sizeof(one));
	(void)path_of("two", two, sizeof(two));
	(void)remove(one);
	(void)remove(two);
	if (confedit_save(lc->ce, &why) != 0) {
		ASSERT(why.text[0] != '\0');
		return;
	}
	ASSERT(run(lc, rat, false, one, &why) == 0);
	ASSERT(run(lc, rat, true, one, &why) == 0);
	ASSERT(confedit_save(lc->ce, &why) == 0);
	ASSERT(run(lc, rat, false, two, &why) == 0);
	ASSERT(same(one, two));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct listenerconfig lc = { .json = false };
	struct err why = ERR_INIT;
	bool rat = n > 0 && p[0] == 'R';
	char in[96];

	(void)path_of("in", in, sizeof(in));
	ASSERT(file_replace(in, p + rat, n - rat, 0600, &why) == 0);
	ASSERT(confedit_open(&lc.ce, confplace(BOOT)->conf, &why) == 0);
	lc.pool = pool_new(0);
	if (run(&lc, rat, true, in, &why) == 0)
		round_trip(&lc, rat);
	else
		ASSERT(why.text[0] != '\0');
	ASSERT(confedit_clear(lc.ce, &why) == 0);
	confedit_close(&lc.ce);
	pool_destroy(&lc.pool);
	return 0;
}

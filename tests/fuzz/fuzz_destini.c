/*
 * Destination control files of AsyncOS: each is refused with its line; or it
 * becomes the table, which is written as a file that is read as the same and
 * written again octet by octet; or the table cannot be, and why is said. Taken
 * as an import does, it only says more.
 */
#include <stdint.h>
#include <string.h>

#include "base/die.h"
#include "base/file.h"
#include "cli/destconfig.h"
#include "confplace.h"

#define BOOT "hostname = \"mx.relay.example\"\n"                               \
	"listener \"in\" { address = \"127.0.0.1:25\" }\n"                     \
	"bounce_profile \"slow\" { }\n"                                        \
	"route \"hub.example\" { hosts = \"127.0.0.1\" }\n"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
left(void *arg, int line, const char *section, const char *word,
    const char *reason)
{
	unsigned *n = arg;

	ASSERT(line > 0 && word[0] != '\0' && reason[0] != '\0');
	(void)section;
	(*n)++;
}

static void
took(void *arg, int line, const char *section, const char *key,
    const char *value, const char *was)
{
	(void)arg;
	(void)was;
	ASSERT(line > 0 && section[0] != '\0' && key[0] != '\0' &&
	    value[0] != '\0');
}

static int
read_it(struct destconfig *dc, struct str text,
    const struct destconfig_taking *how)
{
	struct err why = ERR_INIT;
	int r = destconfig_read(dc, "f", text, how, &why);

	if (r != 0)
		ASSERT(strncmp(why.text, "f:", 2) == 0);
	return r;
}

static int
save(struct destconfig *dc, struct buf *written)
{
	struct err why = ERR_INIT;

	if (confedit_save(dc->ce, &why) != 0) {
		ASSERT(why.text[0] != '\0');
		return -1;
	}
	ASSERT(confedit_conf(dc->ce) != NULL);
	destconfig_write(dc, confedit_conf(dc->ce), written);
	return 0;
}

static void
whole(struct destconfig *dc, struct str text)
{
	struct err why = ERR_INIT;
	struct buf one, two;

	buf_init(&one, CONF_OVER_MAX);
	buf_init(&two, CONF_OVER_MAX);
	if (read_it(dc, text, NULL) == 0 && save(dc, &one) == 0) {
		ASSERT(read_it(dc, buf_str(&one), NULL) == 0);
		ASSERT(save(dc, &two) == 0);
		ASSERT(str_eq(buf_str(&one), buf_str(&two)));
	}
	ASSERT(confedit_clear(dc->ce, &why) == 0);
	ASSERT(confedit_refresh(dc->ce, &why) == 0);
	buf_fini(&one);
	buf_fini(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = str_n((const char *)p, n);
	struct destconfig dc = { .json = false };
	struct err why = ERR_INIT;
	unsigned nleft = 0;
	const struct destconfig_taking how = { true, took, left, &nleft };

	ASSERT(confedit_open(&dc.ce, confplace(BOOT)->conf, &why) == 0);
	dc.pool = pool_new(0);
	if (read_it(&dc, text, NULL) == 0) {
		ASSERT(confedit_refresh(dc.ce, &why) == 0);
		/* What is taken as it is, is taken piece by piece as well. */
		ASSERT(read_it(&dc, text, &how) == 0);
		ASSERT(confedit_refresh(dc.ce, &why) == 0);
		whole(&dc, text);
	} else {
		ASSERT(confedit_refresh(dc.ce, &why) == 0);
		(void)read_it(&dc, text, &how);
	}
	confedit_close(&dc.ce);
	pool_destroy(&dc.pool);
	return 0;
}

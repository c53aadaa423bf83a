/*
 * The boot file: whatever is in it is taken or refused with a reason. What is
 * taken dumps to a file that is taken as well.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"
#include "policy/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err why = ERR_INIT;
	struct conf *c = NULL;
	struct buf dump;

	if (conf_parse(&c, "/f/boot.lua", str_n((const char *)p, n),
		&conf_reader_none, &why) != 0) {
		ASSERT(why.text[0] != '\0');
		return 0;
	}
	buf_init(&dump, 16 * 1024 * 1024);
	conf_dump(c, &dump);
	conf_unref(&c);
	buf_fini(&dump);
	return 0;
}

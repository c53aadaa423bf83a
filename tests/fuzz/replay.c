/*
 * main() of a fuzz target that is not linked with libFuzzer: each file named
 * on the command line is one input.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
replay(const char *name)
{
	enum { LIMIT = 1 << 20 };
	uint8_t *data;
	FILE *f;
	size_t n;

	f = fopen(name, "rb");
	if (f == NULL) {
		perror(name);
		return -1;
	}
	data = malloc(LIMIT);
	if (data == NULL)
		abort();
	n = fread(data, 1, LIMIT, f);
	(void)fclose(f);
	/* The exact size, so that a sanitizer sees a read past its end. */
	if (n > 0 && (data = realloc(data, n)) == NULL)
		abort();
	(void)LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (replay(argv[i]) < 0)
			return 1;
	}
	return 0;
}

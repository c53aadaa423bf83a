/* A directory with a boot file, for what opens a configuration store. */
#ifndef FUZZ_CONFPLACE_H
#define FUZZ_CONFPLACE_H

struct confplace {
	char dir[64], conf[96];
};

/* Made at the first call, removed at the exit; boot: what the boot file has
 * besides spool and run. */
const struct confplace *confplace(const char *boot);

#endif

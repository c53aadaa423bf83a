/*
 * A directory of a test's own, gone when the test is.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

/* Makes it; an absolute path. */
const char *scratch(void);
/* The path of name in it, valid until the next call but three. */
const char *scratch_path(const char *name);
/* The whole file as a string, valid until the next call. */
const char *scratch_read(const char *name);
void scratch_remove(void);

#endif

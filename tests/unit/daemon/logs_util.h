/*
 * The log with the plugins that are part of the program, of a test.
 */
#ifndef LOGS_UTIL_H
#define LOGS_UTIL_H

#define STAMP "Tue Apr 17 00:57:53 2018 "
#define U(n) ((uint64_t)(n))

/* What is in log { }, and in plugin blocks behind it. */
struct logs_conf {
	const char *file, *json;
	char plugins[1000];
};

extern struct logs_conf logs_conf;

void logs_open_conf(void);
void logs_begin(void);
void logs_end(void);

#endif

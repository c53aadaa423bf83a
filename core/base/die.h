/*
 * The two ways a process ends by itself.
 *
 * fatal(): the world is unusable (configuration, disk, memory): a message for
 * the administrator, exit status 1. panic(): we are wrong: a message with the
 * place, then abort() so that there is a core to read. ASSERT() stays on in
 * every build.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#define ATTR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_UNUSED __attribute__((unused))

/* Told of the text before the process ends; the log installs itself here. */
typedef void die_hook(const char *text);
void die_hook_set(die_hook *hook);

void fatal(const char *fmt, ...) ATTR_PRINTF(1, 2) ATTR_NORETURN;
void panic_at(const char *file, int line, const char *fmt, ...)
    ATTR_PRINTF(3, 4) ATTR_NORETURN;

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(x)                                                              \
	do {                                                                   \
		if (!(x))                                                      \
			panic("assertion failed: %s", #x);                     \
	} while (0)

#endif

#include "cli/prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define SECRET_MAX 1024

static const char *ask_line(struct pool *, const char *, char, const char *);
static bool ask_yes(struct pool *, const char *, char, bool, bool *);
static const char *read_line(struct pool *, FILE *);
static void on_signal(int);

const char *
prompt_line(struct pool *pool, const char *text, const char *def)
{
	return ask_line(pool, text, '\n', def);
}

static const char *
ask_line(struct pool *pool, const char *text, char between, const char *def)
{
	const char *line;

	if (text[0] != '\0')
		(void)printf("%s%c", text, between);
	(void)printf("[%s]> ", def);
	(void)fflush(stdout);
	line = read_line(pool, stdin);
	if (line == NULL)
		(void)putchar('\n');
	return line != NULL && line[0] == '\0' ? def : line;
}

bool
prompt_yes(struct pool *pool, const char *text, bool def, bool *end_r)
{
	return ask_yes(pool, text, '\n', def, end_r);
}

bool
prompt_yes_here(struct pool *pool, const char *text, bool def, bool *end_r)
{
	return ask_yes(pool, text, ' ', def, end_r);
}

static bool
ask_yes(struct pool *pool, const char *text, char between, bool def,
    bool *end_r)
{
	const char *line;
	struct str s;

	for (;;) {
		line = ask_line(pool, text, between, def ? "Y" : "N");
		if (line == NULL) {
			*end_r = true;
			return def;
		}
		s = str_trim(str_c(line));
		if (str_ieq_c(s, "y") || str_ieq_c(s, "yes"))
			return true;
		if (str_ieq_c(s, "n") || str_ieq_c(s, "no"))
			return false;
		(void)printf("Please answer Y or N.\n");
	}
}

unsigned
prompt_number(struct pool *pool, const char *text, unsigned n, unsigned def)
{
	const char *line, *shown = def == 0 ? "" :
	    pool_printf(pool, "%u", def);
	uint64_t v;

	for (;;) {
		line = prompt_line(pool, text, shown);
		if (line == NULL)
			return 0;
		if (num_u64(str_trim(str_c(line)), n, &v) == 0 && v > 0)
			return (unsigned)v;
		(void)printf("Please answer with a number from 1 to %u.\n", n);
	}
}

const char *
prompt_secret(struct pool *pool, const char *text)
{
	struct sigaction wake = { .sa_handler = on_signal }, old;
	struct termios was, quiet;
	FILE *tty = fopen("/dev/tty", "r+e");
	const char *line;
	bool cut;

	if (tty == NULL)
		return read_line(pool, stdin);
	(void)fputs(text, tty);
	(void)fflush(tty);
	/* A Ctrl-C must not leave the terminal without echo. */
	(void)sigaction(SIGINT, &wake, &old);
	if (tcgetattr(fileno(tty), &was) != 0)
		memset(&was, 0, sizeof(was));
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	errno = 0;
	line = read_line(pool, tty);
	cut = line == NULL && errno == EINTR;
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &was);
	(void)fputs("\n", tty);
	(void)fclose(tty);
	(void)sigaction(SIGINT, &old, NULL);
	if (cut)
		(void)raise(SIGINT);
	return line;
}

static const char *
read_line(struct pool *pool, FILE *from)
{
	char *line = NULL;
	const char *copy;
	size_t size = 0;
	ssize_t n;

	n = getline(&line, &size, from);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	copy = n < 0 || n > 65536 ? NULL :
	    pool_strndup(pool, line, (size_t)n);
	if (line != NULL)
		explicit_bzero(line, size);
	mem_free(line); /* the library made it, which is the same heap */
	return copy;
}

/* It only ends a read. */
static void
on_signal(int signo)
{
	(void)signo;
}

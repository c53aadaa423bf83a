#include "cli/prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/num.h"

#define WIDTH_MIN 20 /* of a screen that text is broken for */
#define WIDTH_MAX 10000
#define LINE_LEN 65536
#define NO_CHAR '\001' /* in place of a NUL; no name, number or text has it */

static unsigned columns(struct str);
static const char *ask_line(struct pool *, const char *, char, const char *);
static bool ask_yes(struct pool *, const char *, char, bool, bool *);
static const char *read_line(struct pool *, FILE *);
static void on_signal(int);

unsigned
prompt_width(void)
{
	const char *said = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (isatty(STDOUT_FILENO) == 0)
		return 0;
	if (said != NULL && num_u64(str_c(said), WIDTH_MAX, &n) == 0 && n > 0)
		return (unsigned)n;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void
prompt_text(const char *text, unsigned indent)
{
	unsigned width = prompt_width(), at = 0, gap;
	struct str word;

	if (width < WIDTH_MIN) {
		(void)fputs(text, stdout);
		return;
	}
	while (*text != '\0') {
		gap = (unsigned)strspn(text, " ");
		text += gap;
		word = str_n(text, strcspn(text, " \n"));
		if (word.n > 0 && at > indent &&
		    at + gap + columns(word) > width) {
			(void)printf("\n%*s", (int)indent, "");
			at = indent;
		} else {
			(void)printf("%*s", (int)gap, "");
			at += gap;
		}
		(void)printf("%.*s", STR_FMT(word));
		at += columns(word);
		text += word.n;
		if (*text == '\n') {
			(void)putchar(*text++);
			at = 0;
		}
	}
}

/* Of UTF-8, one for each character. */
static unsigned
columns(struct str s)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

const char *
prompt_line(struct pool *pool, const char *text, const char *def)
{
	return ask_line(pool, text, '\n', def);
}

static const char *
ask_line(struct pool *pool, const char *text, char between, const char *def)
{
	const char *line;

	prompt_text(text[0] == '\0' ? pool_printf(pool, "[%s]> ", def) :
	    pool_printf(pool, "%s%c[%s]> ", text, between, def), 0);
	(void)fflush(stdout);
	line = read_line(pool, stdin);
	if (line == NULL)
		(void)putchar('\n');
	else
		line = text_clean(pool, str_c(line), LINE_LEN);
	return line != NULL && line[0] == '\0' ? def : line;
}

const char *
prompt_next(struct pool *pool)
{
	return read_line(pool, stdin);
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
	size_t i, size = 0;
	ssize_t n;

	n = getline(&line, &size, from);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	/* What is behind it would be lost. */
	for (i = 0; (ssize_t)i < n; i++) {
		if (line[i] == '\0')
			line[i] = NO_CHAR;
	}
	copy = n < 0 || n > LINE_LEN ? NULL :
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

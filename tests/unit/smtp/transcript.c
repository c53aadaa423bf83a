#include "transcript.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1 << 20)

static bool
is(const char *step, char kind)
{
	return step[0] == kind;
}

static void
unescape(struct buf *b, const char *p)
{
	for (; *p != '\0'; p++) {
		if (p[0] == '\\' && p[1] == '0') {
			(void)buf_add_char(b, '\0');
			p++;
		} else {
			(void)buf_add_char(b, *p);
		}
	}
}

/* What the client sends for this step. */
static void
add_input(struct buf *b, const char *step)
{
	if (is(step, 'C'))
		(void)buf_printf(b, "%s\r\n", step + 3);
	else if (is(step, 'H'))
		(void)buf_add_c(b, "EHLO c\r\n");
	else if (is(step, 'R'))
		unescape(b, step + 3);
}

static struct str
next_line(struct fake *f, size_t *at)
{
	struct str all = buf_str(&f->replies), line;
	size_t n;

	line = str_n(all.p + *at, all.n - *at);
	n = str_find(line, '\n');
	if (n == line.n)
		return STR_NULL;
	*at += n + 1;
	ck_assert_msg(n > 0 && n <= 511 && line.p[n - 1] == '\r',
	    "a reply line of %zu octets", n);
	return str_n(line.p, n - 1);
}

static void
expect_line(const struct transcript *t, struct fake *f, size_t *at,
    const char *want)
{
	struct str got = next_line(f, at);
	size_t n = strlen(want);

	ck_assert_msg(
	    got.p != NULL, "%s: no answer, wanted: %s", t->name, want);
	if (n >= 3 && strcmp(want + n - 3, "...") == 0 && got.n >= n - 3)
		got.n = n -= 3;
	ck_assert_msg(str_eq(got, str_n(want, n)),
	    "%s:\nsaid:   %.*s\nwanted: %s", t->name, STR_FMT(got), want);
}

static void
expect_hello(const struct transcript *t, struct fake *f, size_t *at)
{
	struct str got;

	do {
		got = next_line(f, at);
		ck_assert_msg(got.n > 4 && str_istarts(got, "250"),
		    "%s: EHLO got: %.*s", t->name, STR_FMT(got));
	} while (got.p[3] == '-');
}

static void
check_log(const struct transcript *t, struct fake *f)
{
	struct buf want;
	size_t i;

	buf_init(&want, TEXT_MAX);
	for (i = 0; i < TRANSCRIPT_STEPS && t->step[i] != NULL; i++) {
		if (is(t->step[i], 'O'))
			(void)buf_printf(&want, "%s\n", t->step[i] + 3);
	}
	if (buf_len(&want) > 0)
		ck_assert_msg(str_eq(buf_str(&want), buf_str(&f->log)),
		    "%s:\nlog:\n%s\nwanted:\n%s", t->name, buf_p(&f->log),
		    buf_p(&want));
	buf_fini(&want);
}

static void
begin(const struct transcript *t, struct fake *f, bool wait)
{
	fake_init(f);
	if (t->setup != NULL)
		t->setup(f);
	f->wait = f->body_wait = wait;
	fake_start(f);
}

static void
check_all(const struct transcript *t, struct fake *f)
{
	size_t at = 0, i;

	for (i = 0; i < TRANSCRIPT_STEPS && t->step[i] != NULL; i++) {
		if (is(t->step[i], 'S'))
			expect_line(t, f, &at, t->step[i] + 3);
		else if (is(t->step[i], 'H'))
			expect_hello(t, f, &at);
		else if (is(t->step[i], 'X'))
			ck_assert_msg(f->s == NULL && f->eof, "%s: stays open",
			    t->name);
	}
	ck_assert_msg(at == buf_len(&f->replies), "%s: said more: %s", t->name,
	    buf_p(&f->replies) + at);
}

/* In turns, as a client without pipelining does. */
static void
play_in_turns(const struct transcript *t, bool wait)
{
	struct fake f;
	struct buf b;
	size_t at = 0, i;

	begin(t, &f, wait);
	for (i = 0; i < TRANSCRIPT_STEPS && t->step[i] != NULL; i++) {
		buf_init(&b, TEXT_MAX);
		add_input(&b, t->step[i]);
		fake_send(&f, buf_p(&b), buf_len(&b));
		buf_fini(&b);
		if (is(t->step[i], 'S'))
			expect_line(t, &f, &at, t->step[i] + 3);
		else if (is(t->step[i], 'H'))
			expect_hello(t, &f, &at);
	}
	check_all(t, &f);
	fake_hang_up(&f);
	check_log(t, &f);
	fake_fini(&f);
}

/* All of it, with a pause behind the octets at cut, or behind each. */
static void
play_cut(const struct transcript *t, struct str in, size_t cut, bool each,
    bool wait)
{
	struct fake f;
	size_t i;

	begin(t, &f, wait);
	if (each) {
		for (i = 0; i < in.n; i++)
			fake_send(&f, in.p + i, 1);
	} else {
		fake_send(&f, in.p, cut);
		fake_send(&f, in.p + cut, in.n - cut);
	}
	check_all(t, &f);
	fake_hang_up(&f);
	check_log(t, &f);
	fake_fini(&f);
}

void
transcript_play(const struct transcript *t)
{
	struct buf in;
	size_t i, step;

	buf_init(&in, TEXT_MAX);
	for (i = 0; i < TRANSCRIPT_STEPS && t->step[i] != NULL; i++)
		add_input(&in, t->step[i]);
	play_in_turns(t, false);
	play_in_turns(t, true);
	/* Long ones are about limits, and cut at fewer places. */
	step = buf_len(&in) > 600 ? buf_len(&in) / 60 : 1;
	for (i = 0; i <= buf_len(&in); i += step)
		play_cut(t, buf_str(&in), i, false, (i & 1) != 0);
	if (buf_len(&in) <= 4000) {
		play_cut(t, buf_str(&in), 0, true, false);
		play_cut(t, buf_str(&in), 0, true, true);
	}
	buf_fini(&in);
}

/*
 * A whole session. The first octet sets the server up, the rest is what the
 * client says; two octets 0xff are not sent, but cut it there.
 *
 * Played twice, cut and whole, with answers later and at once: replies and
 * everything the owner was told must be the same, so that no way of sending
 * makes one message two. What is accepted has no bare CR or LF.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { NORMALIZE = 1, SMALL = 2, REQUIRED = 4, WAIT = 8, SHUTDOWN = 16 };

static void
set_up(struct fake *f, unsigned flags)
{
	fake_init(f);
	f->conf.normalize = (flags & NORMALIZE) != 0;
	f->conf.max_commands = 1000;
	if ((flags & REQUIRED) != 0)
		f->conf.tls = SMTPD_TLS_REQUIRED;
	if ((flags & SMALL) != 0) {
		f->conf.max_size = 200;
		f->conf.max_header = 60;
		f->conf.max_rcpt = 2;
		f->conf.max_hops = 1;
		f->conf.max_errors = 3;
		f->conf.max_bad_rcpt = 2;
		f->conf.max_commands = 20;
		f->conf.max_messages = 3;
	}
}

static const char *
next_cut(const char *p, size_t n)
{
	const char *at = n > 1 ? memmem(p, n, "\xff\xff", 2) : NULL;

	return at != NULL ? at : p + n;
}

static void
play(struct fake *f, const char *p, size_t n, bool cut)
{
	struct buf all;
	const char *at, *end = p + n;

	buf_init(&all, SIZE_MAX);
	fake_start(f);
	for (; p < end; p = at < end ? at + 2 : end) {
		at = next_cut(p, (size_t)(end - p));
		if (cut)
			fake_send(f, p, (size_t)(at - p));
		else
			(void)buf_add(&all, p, (size_t)(at - p));
	}
	if (!cut)
		fake_send(f, buf_p(&all), buf_len(&all));
	buf_fini(&all);
}

static void
check_replies(struct str all)
{
	size_t i, line = 0;

	for (i = 0; i < all.n; i++) {
		if (all.p[i] == '\n') {
			ASSERT(i - line >= 5 && all.p[i - 1] == '\r');
			ASSERT(i - line < 512);
			ASSERT(ch_digit(all.p[line]) && all.p[line] != '1');
			line = i + 1;
		} else if (all.p[i] != '\r') {
			ASSERT(ch_print(all.p[i]));
		}
	}
	ASSERT(line == all.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake cut, whole;
	unsigned flags;

	if (size < 1 || size > 20000)
		return 0;
	flags = data[0];
	set_up(&whole, flags);
	play(&whole, (const char *)data + 1, size - 1, false);
	check_replies(buf_str(&whole.replies));
	ASSERT(whole.peak <= ((flags & SMALL) != 0 ? 200u : 1000000u));
	set_up(&cut, flags);
	cut.wait = cut.body_wait = (flags & WAIT) != 0;
	play(&cut, (const char *)data + 1, size - 1, true);
	ASSERT(str_eq(buf_str(&whole.replies), buf_str(&cut.replies)));
	if ((flags & SHUTDOWN) != 0)
		fake_shutdown(&cut);
	else
		fake_hang_up(&cut);
	fake_hang_up(&whole);
	ASSERT(str_eq(buf_str(&whole.log), buf_str(&cut.log)));
	fake_fini(&whole);
	fake_fini(&cut);
	return 0;
}

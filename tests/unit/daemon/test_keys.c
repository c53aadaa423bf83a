/*
 * Both ends of the keeper's protocol, with keys that are none: a key's first
 * octet says what it costs, and a signature is the input again.
 */
#include "daemon/keyclient.h"
#include "daemon/keyserve.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/ipc.h"
#include "daemon/keywire.h"
#include "unit.h"

#define MANY 3000

static const struct tlskey_id fast = { { 'f' } }, slow = { { 's' } },
	unknown = { { 'u' } };

/* What a ticket is here: one operation and its end. */
struct shake {
	char name;
	bool done, ok;
	char sig[64];
	size_t n;
};

static struct loop *l;
static struct keyserve *serve;
static struct keyclient *client[2];
static char signs[MANY * 2]; /* first octets of inputs, in order */
static unsigned nsigns, ndone;
static struct err why;

static enum keyring_cost
fake_cost(void *arg, const struct tlskey_id *id)
{
	(void)arg;
	return id->sha256[0] == 'f' ? KEYRING_FAST :
	    id->sha256[0] == 's' ? KEYRING_SLOW : KEYRING_UNKNOWN;
}

static int
fake_sign(void *arg, const struct tlskey_id *id, uint16_t algorithm,
    struct str in, uint8_t *out, size_t *out_n, size_t max)
{
	(void)arg;
	(void)id;
	if (algorithm == 0x0401)
		return -1; /* not one of this key */
	ck_assert_uint_gt(in.n, 0);
	if (nsigns < sizeof(signs))
		signs[nsigns++] = in.p[0];
	*out_n = in.n < max ? in.n : max;
	memcpy(out, in.p, *out_n);
	return 0;
}

static const struct keyserve_ops ops = { .cost = fake_cost,
	.sign = fake_sign };

static void
on_done(void *ticket, bool ok, const uint8_t *sig, size_t n)
{
	struct shake *s = ticket;

	ck_assert(!s->done);
	s->done = true;
	s->ok = ok;
	s->n = n < sizeof(s->sig) ? n : sizeof(s->sig);
	if (ok)
		memcpy(s->sig, sig, s->n);
	ndone++;
}

static void
setup(void)
{
	int pair[2], i;

	l = loop_new();
	serve = keyserve_new(l, &ops, NULL);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(ipc_pair(pair, &why), 0);
		keyserve_add(serve, pair[0]);
		client[i] = keyclient_new(l, pair[1], on_done);
	}
	nsigns = ndone = 0;
}

static void
teardown(void)
{
	keyclient_destroy(&client[0]);
	keyclient_destroy(&client[1]);
	keyserve_destroy(&serve);
	loop_once(l, false);
	loop_destroy(&l);
}

static enum tls_keyop_status
ask(int who, struct shake *s, char name, const struct tlskey_id *key,
    uint16_t algorithm)
{
	char in[40];

	memset(in, name, sizeof(in));
	*s = (struct shake){ .name = name };
	return keyclient_ops.sign(client[who], key, algorithm,
	    str_n(in, sizeof(in)), NULL, NULL, 0, s);
}

static void
run_until(unsigned n)
{
	while (ndone < n)
		loop_once(l, true);
}

START_TEST(a_signature_comes_back_to_who_asked)
{
	struct shake a, b;

	ck_assert_int_eq(ask(0, &a, 'a', &fast, 0x0403), TLS_KEYOP_WAIT);
	ck_assert_int_eq(ask(1, &b, 'b', &slow, 0x0804), TLS_KEYOP_WAIT);
	ck_assert(!a.done && !b.done);
	run_until(2);
	ck_assert(a.ok && b.ok);
	ck_assert_uint_eq(a.n, 40);
	ck_assert_int_eq(a.sig[39], 'a');
	ck_assert_int_eq(b.sig[39], 'b');
	ck_assert_uint_eq(keyclient_waiting(client[0]), 0);
}
END_TEST

START_TEST(unknown_keys_and_wrong_algorithms_are_refused)
{
	struct shake a, b, c;

	(void)ask(0, &a, 'a', &unknown, 0x0403);
	(void)ask(0, &b, 'b', &fast, 0x0401);
	(void)ask(0, &c, 'c', &fast, 0x0403);
	run_until(3);
	ck_assert(!a.ok && !b.ok && c.ok);
}
END_TEST

START_TEST(thousands_may_be_under_way)
{
	static struct shake v[MANY];
	unsigned i;

	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(ask(0, &v[i], 'a', i % 2 ? &fast : &slow,
		    0x0403), TLS_KEYOP_WAIT);
	ck_assert_uint_eq(keyclient_waiting(client[0]), MANY);
	run_until(MANY);
	for (i = 0; i < MANY; i++)
		ck_assert(v[i].ok);
}
END_TEST

START_TEST(a_fast_one_waits_for_one_slow_one_at_most)
{
	static struct shake v[500];
	struct shake quick;
	unsigned i, before;

	for (i = 0; i < 500; i++)
		(void)ask(0, &v[i], 's', &slow, 0x0804);
	run_until(3);
	before = nsigns;
	(void)ask(1, &quick, 'q', &fast, 0x0403);
	while (!quick.done)
		loop_once(l, true);
	/* At most one turn was on its way, and one more answers. */
	ck_assert_uint_le(nsigns - before, 3);
	run_until(501);
}
END_TEST

START_TEST(slow_ones_of_two_workers_alternate)
{
	static struct shake v[200];
	unsigned i, b = 0;

	for (i = 0; i < 100; i++)
		(void)ask(0, &v[i], 'a', &slow, 0x0804);
	for (i = 0; i < 10; i++)
		(void)ask(1, &v[100 + i], 'b', &slow, 0x0804);
	run_until(110);
	for (i = 0; i < 24; i++)
		b += signs[i] == 'b';
	ck_assert_uint_eq(b, 10);
}
END_TEST

START_TEST(what_is_cancelled_is_neither_answered_nor_made)
{
	static struct shake v[100];
	struct shake last;
	unsigned i;

	for (i = 0; i < 100; i++)
		(void)ask(0, &v[i], 's', &slow, 0x0804);
	for (i = 0; i < 100; i++)
		keyclient_ops.cancel(client[0], &v[i]);
	keyclient_ops.cancel(client[0], &last); /* of no operation */
	ck_assert_uint_eq(keyclient_waiting(client[0]), 0);
	(void)ask(0, &last, 'l', &slow, 0x0804);
	run_until(1);
	for (i = 0; i < 100; i++)
		ck_assert(!v[i].done);
	ck_assert_uint_lt(nsigns, 10);
	ck_assert(last.ok);
}
END_TEST

START_TEST(a_keeper_that_ends_fails_what_it_was_sent_and_no_more)
{
	struct shake sent, waits, again;
	int pair[2];

	(void)ask(0, &sent, 'a', &slow, 0x0804);
	keyserve_destroy(&serve);
	run_until(1);
	ck_assert(sent.done && !sent.ok);
	ck_assert_int_eq(ask(0, &waits, 'w', &fast, 0x0403), TLS_KEYOP_WAIT);
	ck_assert_int_eq(ask(0, &again, 'x', &fast, 0x0403), TLS_KEYOP_WAIT);
	keyclient_ops.cancel(client[0], &again);
	loop_once(l, false);
	ck_assert(!waits.done);
	serve = keyserve_new(l, &ops, NULL);
	ck_assert_int_eq(ipc_pair(pair, &why), 0);
	keyserve_add(serve, pair[0]);
	keyclient_connect(client[0], pair[1]);
	run_until(2);
	ck_assert(waits.ok);
	ck_assert(!again.done);
}
END_TEST

START_TEST(what_is_too_long_or_too_much_fails_at_once)
{
	static char in[KEYWIRE_INPUT_MAX + 1];
	struct shake s = { .name = 'a' };

	memset(in, 'a', sizeof(in));
	ck_assert_int_eq(keyclient_ops.sign(client[0], &fast, 0x0403,
	    str_n(in, sizeof(in)), NULL, NULL, 0, &s), TLS_KEYOP_FAILED);
	ck_assert_int_eq(keyclient_ops.sign(client[0], &fast, 0x0403,
	    str_n(in, sizeof(in) - 1), NULL, NULL, 0, &s), TLS_KEYOP_WAIT);
	run_until(1);
	ck_assert(s.ok);
	ck_assert_uint_eq(s.n, 64);
}
END_TEST

START_TEST(a_worker_that_talks_nonsense_is_cut_off)
{
	static const struct keywire_request bad[] = {
		{ .algorithm = 0x0403, .n = 7 },
		{ .algorithm = 0x10000, .n = 0 },
	};
	int pair[2], i;
	char c;

	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(ipc_pair(pair, &why), 0);
		keyserve_add(serve, pair[0]);
		ck_assert_int_gt(send(pair[1], i < 2 ?
		    (const void *)&bad[i] : "short",
		    i < 2 ? sizeof(bad[i]) : 5, 0), 0);
		loop_once(l, true);
		loop_once(l, false);
		ck_assert_int_eq(recv(pair[1], &c, 1, MSG_DONTWAIT), 0);
		(void)close(pair[1]);
	}
}
END_TEST

UNIT_SUITE(keys)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_signature_comes_back_to_who_asked);
	tcase_add_test(tc, unknown_keys_and_wrong_algorithms_are_refused);
	tcase_add_test(tc, thousands_may_be_under_way);
	tcase_add_test(tc, a_fast_one_waits_for_one_slow_one_at_most);
	tcase_add_test(tc, slow_ones_of_two_workers_alternate);
	tcase_add_test(tc, what_is_cancelled_is_neither_answered_nor_made);
	tcase_add_test(tc,
	    a_keeper_that_ends_fails_what_it_was_sent_and_no_more);
	tcase_add_test(tc, what_is_too_long_or_too_much_fails_at_once);
	tcase_add_test(tc, a_worker_that_talks_nonsense_is_cut_off);
}

/*
 * A worker's requests to the keeper: packets, each its length in two octets and
 * what is in it (daemon/keywire.h). Nothing but answers to what was asked may
 * come back, of at most as many octets as there is room for.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/keyserve.h"
#include "daemon/keywire.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define SENT_MAX 256

static struct {
	uint64_t op[SENT_MAX];
	unsigned nop, answers;
	size_t signs;
} the;

static enum keyring_cost
cost(void *arg, const struct tlskey_id *id)
{
	uint8_t first;

	(void)arg;
	memcpy(&first, id, 1);
	switch (first % 3) {
	case 0:
		return KEYRING_UNKNOWN;
	case 1:
		return KEYRING_FAST;
	default:
		return KEYRING_SLOW;
	}
}

/* As long as the algorithm says, or not at all. */
static int
sign(void *arg, const struct tlskey_id *id, uint16_t algorithm, struct str in,
    uint8_t *out, size_t *out_n, size_t max)
{
	size_t i, sum = 0;

	(void)arg;
	ASSERT(algorithm != 0 && cost(NULL, id) != KEYRING_UNKNOWN);
	ASSERT(in.n <= KEYWIRE_INPUT_MAX);
	the.signs++;
	for (i = 0; i < in.n; i++)
		sum += (uint8_t)in.p[i];
	if (algorithm > max)
		return -1;
	memset(out, (int)(sum & 0xff), algorithm);
	*out_n = algorithm;
	return 0;
}

static const struct keyserve_ops ops = { .cost = cost, .sign = sign };

/* False: it has hung up. */
static bool
read_answers(int fd)
{
	char msg[sizeof(struct keywire_answer) + KEYWIRE_SIG_MAX + 1];
	struct keywire_answer a;
	ssize_t n;
	unsigned i;

	while ((n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT)) > 0) {
		ASSERT((size_t)n >= sizeof(a));
		memcpy(&a, msg, sizeof(a));
		ASSERT(a.n <= KEYWIRE_SIG_MAX);
		ASSERT((size_t)n == sizeof(a) + a.n);
		for (i = 0; i < the.nop && the.op[i] != a.op;)
			i++;
		ASSERT(i < the.nop);
		the.answers++;
	}
	return n != 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct loop *loop = loop_new();
	struct keyserve *s = keyserve_new(loop, &ops, NULL);
	const uint8_t *end = data + n;
	bool open = true;
	unsigned i;
	int fds[2];
	size_t len;

	memset(&the, 0, sizeof(the));
	ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) ==
	    0);
	keyserve_add(s, fds[0]);
	while (end - data >= 2 && open && the.nop < SENT_MAX) {
		len = (size_t)data[0] << 8 | data[1];
		data += 2;
		if (len > (size_t)(end - data))
			len = (size_t)(end - data);
		if (len >= sizeof(uint64_t))
			memcpy(&the.op[the.nop++], data, sizeof(uint64_t));
		(void)send(fds[1], data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		data += len;
		/* Several may wait for one turn. */
		if (len % 2 == 0) {
			loop_once(loop, false);
			open = read_answers(fds[1]);
		}
	}
	for (i = 0; i < SENT_MAX && open; i++) {
		loop_once(loop, false);
		open = read_answers(fds[1]);
	}
	ASSERT(the.answers <= the.nop && the.signs <= the.nop);
	keyserve_destroy(&s);
	(void)close(fds[1]);
	loop_once(loop, false);
	loop_destroy(&loop);
	return 0;
}

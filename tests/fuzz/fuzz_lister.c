/*
 * What a process that had to do with plugins' code tells of their certificates:
 * packets, each an octet (how many descriptors come with it; from 4 on they are
 * no files), its length in two octets, and what is in it. The end of the input
 * is that of the process.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/lister_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct {
	struct loop *loop;
	struct epoch *e;
	int text, tube; /* descriptors that are sent */
	bool heard;
} the;

static void
begin(void)
{
	struct log_conf quiet = { .level = LOG_LV_CRITICAL };
	char file[] = "/tmp/postern-fuzz-XXXXXX";
	struct err why = ERR_INIT;
	int fds[2], fd;

	log_open(&quiet);
	fd = mkstemp(file);
	ASSERT(fd != -1 && epoch_read(&the.e, file, 1, &why) == 0);
	(void)close(fd);
	(void)unlink(file);
	the.loop = loop_new();
	the.text = memfd_create("text", MFD_CLOEXEC);
	ASSERT(the.text != -1 && write(the.text, "chain\n", 6) == 6);
	ASSERT(pipe(fds) == 0);
	the.tube = fds[0];
}

static bool
send_packet(int fd, const uint8_t *p, size_t n, unsigned nfd, bool text)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[3] = { text ? the.text : the.tube, the.text, the.tube };
	struct cmsghdr *c;

	if (nfd > 0) {
		memset(&control, 0, sizeof(control));
		h.msg_control = control.room;
		h.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfd * sizeof(int));
	}
	return sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
}

static void
heard(void *arg, struct certlist *list, const struct err *why)
{
	struct err no = ERR_INIT;
	unsigned i;

	(void)arg;
	the.heard = true;
	ASSERT(why == NULL || why->text[0] != '\0');
	ASSERT(list->nrow <= CERTLIST_MAX && list->nwatch <= CERTLIST_MAX);
	(void)certlist_settle(list, NULL, &no);
	for (i = 0; i < list->nrow; i++) {
		ASSERT(list->row[i].store[0] != '\0');
		ASSERT(list->row[i].name[0] != '\0');
		ASSERT(list->row[i].chain != NULL && list->row[i].key != NULL);
	}
	certlist_destroy(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = data + n;
	int fds[2], before, after;
	size_t len;

	if (the.loop == NULL)
		begin();
	before = dup(the.text);
	(void)close(before);
	ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) ==
	    0);
	the.heard = false;
	(void)lister_hear(the.loop, the.e, fds[0], heard, NULL);
	while (end - data >= 3 && !the.heard) {
		len = (size_t)data[1] << 8 | data[2];
		if (len > (size_t)(end - data - 3))
			len = (size_t)(end - data - 3);
		if (len > 0)
			(void)send_packet(fds[1], data + 3, len, data[0] & 3,
			    (data[0] & 4) == 0);
		data += 3 + len;
		loop_once(the.loop, false);
	}
	(void)close(fds[1]);
	while (!the.heard)
		loop_once(the.loop, true);
	/* Nothing that was sent along is left open. */
	after = dup(the.text);
	(void)close(after);
	ASSERT(before == after);
	return 0;
}

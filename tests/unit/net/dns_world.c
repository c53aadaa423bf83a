#include "dns_world.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/sock.h"
#include "unit.h"

struct loop *world_loop;
struct dns *world_dns;
unsigned world_asked;

static struct loop_fd *watch;
static int fd = -1;

/* The question's name is compared as it is on the wire, in small letters. */
static bool
asks_for(const unsigned char *msg, size_t n, const char *label)
{
	char text[512];
	size_t i;

	for (i = 0; i < n && i < sizeof(text); i++)
		text[i] = ch_lower((char)msg[i]);
	return memmem(text, i, label, strlen(label)) != NULL;
}

static size_t
answer(unsigned char *msg, size_t n)
{
	static const unsigned char a[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0,
		4, 192, 0, 2, 99 };
	size_t end = 12;
	unsigned rcode = 0, type;

	while (end < n && msg[end] != 0)
		end += msg[end] + 1u;
	end += 5;
	ck_assert_uint_le(end, n);
	type = msg[end - 3];
	if (asks_for(msg, n, "silent"))
		return 0;
	if (asks_for(msg, n, "servfail"))
		rcode = 2;
	if (asks_for(msg, n, "nxdomain"))
		rcode = 3;
	if (asks_for(msg, n, "refused"))
		rcode = 5;
	msg[2] = 0x81;
	msg[3] = (unsigned char)(0x80 | rcode);
	memset(msg + 6, 0, 6);
	if (asks_for(msg, n, "garbage")) {
		msg[7] = 9;
		return end;
	}
	if (rcode == 0 && type == DNS_A && !asks_for(msg, n, "nodata")) {
		msg[7] = 1;
		memcpy(msg + end, a, sizeof(a));
		end += sizeof(a);
	}
	return end;
}

static void
on_question(void *arg, int s, unsigned what)
{
	unsigned char msg[2048];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n;
	size_t size;

	(void)arg;
	(void)what;
	n = recvfrom(s, msg, 1024, 0, (struct sockaddr *)&from, &len);
	if (n < 17)
		return;
	world_asked++;
	size = answer(msg, (size_t)n);
	if (size > 0)
		(void)sendto(s, msg, size, 0, (struct sockaddr *)&from, len);
}

void
world_start(const char *records, msec timeout)
{
	char server[32], path[] = "/tmp/postern-test-XXXXXX";
	const char *servers[] = { server, NULL };
	struct dns_conf conf = { .servers = servers, .timeout = timeout };
	struct err why = ERR_INIT;
	struct sock_addr a;
	int file;

	world_loop = loop_new();
	world_asked = 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(sock_addr_ip(STR("127.0.0.1"), 0, &a, NULL), 0);
	ck_assert_int_eq(bind(fd, &a.sa, a.len), 0);
	ck_assert_int_eq(sock_local(fd, &a), 0);
	watch = loop_fd_start(world_loop, fd, LOOP_READ, on_question, NULL);
	(void)snprintf(
	    server, sizeof(server), "127.0.0.1@%u", sock_addr_port(&a));
	if (records != NULL) {
		file = mkstemp(path);
		ck_assert_int_ge(file, 0);
		ck_assert_int_eq(write(file, records, strlen(records)),
		    (ssize_t)strlen(records));
		(void)close(file);
		conf.records = path;
	}
	if (dns_new(&world_dns, world_loop, &conf, &why) < 0)
		ck_abort_msg("%s", why.text);
	if (records != NULL)
		(void)unlink(path);
}

void
world_stop(void)
{
	dns_destroy(&world_dns);
	loop_fd_stop(&watch);
	(void)close(fd);
	loop_destroy(&world_loop);
}

/*
 * Socket addresses and sockets.
 */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

#define SOCK_IP_MAX 46	 /* text of an address, with NUL */
#define SOCK_TEXT_MAX 64 /* "[2001:db8::1]:25" */

/* IPv4 or IPv6; anything else (a socketpair in a test) has family AF_UNSPEC
 * or AF_UNIX and shows as "local". Small: every connection keeps two. */
struct sock_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* "192.0.2.1", "2001:db8::1" (brackets allowed) and a port. */
int sock_addr_ip(struct str ip, uint16_t port, struct sock_addr *a_r,
    struct err *why);
/* "192.0.2.1:25", "[::1]:25", "*:25" (both families: caller asks twice). */
int sock_addr_parse(struct str text, uint16_t default_port,
    struct sock_addr *a_r, struct err *why);
/* IPv4-mapped addresses are shown as IPv4. Both return dst. */
const char *sock_addr_ip_text(const struct sock_addr *a, char *dst, size_t n);
const char *sock_addr_text(const struct sock_addr *a, char *dst, size_t n);
uint16_t sock_addr_port(const struct sock_addr *a);
bool sock_addr_loopback(const struct sock_addr *a);
bool sock_addr_eq_ip(const struct sock_addr *a, const struct sock_addr *b);
/* Hash of the address without the port, the same in every process. */
uint64_t sock_addr_hash(const struct sock_addr *a);

/* "192.0.2.0/24", "2001:db8::/32", a bare address; bits beyond are an error */
struct sock_net {
	int family;
	unsigned char ip[16];
	unsigned bits;
};
int sock_net_parse(struct str text, struct sock_net *net_r, struct err *why);
bool sock_net_has(const struct sock_net *net, const struct sock_addr *a);

/* Non-blocking, close-on-exec; TCP_NODELAY set. IPv6 sockets are v6only. */
int sock_listen(const struct sock_addr *a, int backlog, int *fd_r,
    struct err *why);
/* -1 with errno EAGAIN when nobody waits. */
int sock_accept(int fd, struct sock_addr *peer_r);
/* Starts connecting; from NULL: any local address. */
int sock_connect(const struct sock_addr *to, const struct sock_addr *from,
    int *fd_r, struct err *why);
/* Closing it will be a reset for the peer. */
void sock_reset_on_close(int fd);
int sock_local(int fd, struct sock_addr *a_r);
int sock_peer(int fd, struct sock_addr *a_r);

#endif

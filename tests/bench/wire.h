/*
 * A socket of the measuring programs, in clear or with BoringSSL on it.
 *
 * Sockets do not block. What is sent during a handshake always fits into the
 * buffers of a socket, so only bytes to read are waited for. Nothing is
 * verified: what verification costs is measured at the relay.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

struct wire {
	int fd;
	SSL *ssl; /* NULL: clear text */
};

/* Without resume no tickets are given, and no session is kept. */
SSL_CTX *wire_server(const char *cert, const char *key, bool resume);
/* With resume the first session is offered to the server again and again. */
SSL_CTX *wire_client(bool resume);
void wire_secure(struct wire *w, SSL_CTX *ctx, bool server);
/* 1: done; 0: to be called again when there is something to read; -1: lost */
int wire_shake(struct wire *w);
bool wire_resumed(const struct wire *w);
/* As recv() and send(), errno EAGAIN included. */
ssize_t wire_recv(struct wire *w, void *dst, size_t n);
ssize_t wire_send(struct wire *w, const void *src, size_t n);
void wire_close(struct wire *w);
double wire_seconds(const struct rusage *used);

#endif

/*
 * Two ends of a connection on one loop: a client and a server, each a stream
 * with TLS on it.
 */
#ifndef PAIR_H
#define PAIR_H

#include "base/buf.h"
#include "tls/tlsio.h"

struct end {
	struct stream *s;
	struct tlsio *t;
	struct buf got;
	unsigned shaken, closed;
	bool ok, echo, destroy_on_shake, pause_each;
	char why[500];
	enum stream_end how;
	struct tls_info info; /* of a handshake that went well */
	char sni[256], matched[256], chain[4096];
	struct tls_failure failure; /* of one that did not */
};

extern struct loop *pair_loop;
extern struct end pair_c, pair_s;

void pair_start(void); /* streams without TLS */
void pair_stop(void);
void pair_again(void); /* another connection */
/* One end, on a socket or a stream of the caller's. */
void pair_end(struct end *e, int fd);
void pair_adopt(struct end *e, struct stream *s);
/* NULL ctx: that end stays as it is. */
void pair_tls(struct tlsctx *client, struct tlsctx *server,
    const struct tlsio_client *how);
void pair_spin(unsigned rounds);
/* Until both have shaken hands or failed. */
void pair_shake(void);

#endif

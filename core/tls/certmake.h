/*
 * Making keys, certificates signed by themselves, and requests for signed
 * ones. Everything goes in and out as PEM, so that nobody else need know the
 * library. Making an RSA key takes from a tenth of a second to several
 * seconds: not for an event loop.
 */
#ifndef TLS_CERTMAKE_H
#define TLS_CERTMAKE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CERTMAKE_DAYS_MAX 36500

/* RSA: bits 2048 to 4096; EC: 256 or 384. */
enum certmake_type { CERTMAKE_RSA, CERTMAKE_EC };

struct certmake {
	const char *cn;		 /* common name, 1 to 64 characters */
	const char *const *name; /* host names or addresses; NULL at the end */
	const char *organisation, *unit, *locality, *state; /* NULL: none */
	const char *country;	 /* two letters, NULL: none */
	enum certmake_type type;
	unsigned bits;
	unsigned days; /* from now on; valid since yesterday */
	/* Called now and then while a key is made; may be NULL. */
	void (*progress)(void *arg);
	void *progress_arg;
};

/* -1: a field is wrong, why names it. The others check, too. */
int certmake_check(const struct certmake *m, struct err *why);
/* Adds a new private key, the certificate, the request to pem. */
int certmake_key(const struct certmake *m, struct buf *pem, struct err *why);
int certmake_self(const struct certmake *m, struct str key, struct buf *pem,
    struct err *why);
int certmake_request(const struct certmake *m, struct str key,
    struct buf *pem, struct err *why);
/* Key and certificate for a host in one go, P-256 or RSA-4096, which nobody can
 * verify: for demonstration. */
int certmake_demo(const char *host, enum certmake_type type, unsigned days,
    struct buf *key, struct buf *cert, struct err *why);
/* A request with the subject and the names of a certificate: its renewal. */
int certmake_renewal(struct str cert, struct str key, struct buf *pem,
    struct err *why);

#endif

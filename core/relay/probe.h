/*
 * The tester: what happens to mail for a destination, without sending any.
 *
 * It finds the hosts as delivery does and drives the client that delivers
 * (smtp/smtpc) through greeting, EHLO, STARTTLS, the second EHLO and MAIL FROM,
 * then quits; there is never a RCPT or DATA. The certificate is verified but
 * not insisted on, so that everything can be shown. If a handshake fails that
 * delivery would try again with a smaller offer, so does the tester.
 *
 * The results are plain data in the probe's pool, texts in them fit for a line
 * and a terminal. probe_text() and probe_json() write them down; `postern
 * tls-test`, `postern tlsverify` and whoever else wants to look share it.
 */
#ifndef RELAY_PROBE_H
#define RELAY_PROBE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/pool.h"
#include "net/dns.h"
#include "net/mx.h"
#include "tls/certpile.h"
#include "tls/tlsctx.h"
#include "tls/tlsio.h"

struct tlstrust;

enum { PROBE_LEVELS = 8, PROBE_LINES_MAX = 1000, PROBE_TEXT_MAX = 2000 };

/* The stages of a host, in order. */
enum probe_stage {
	PROBE_ANSWER,  /* TCP connection */
	PROBE_CONNECT, /* greeting */
	PROBE_HELO,    /* EHLO, or HELO, accepted */
	PROBE_TLS,     /* STARTTLS and handshake, whatever the certificate */
	PROBE_CERT,    /* chain and name hold under the want */
	PROBE_SECURE,  /* EHLO inside TLS */
	PROBE_FROM,    /* MAIL FROM accepted, in clear if need be */
	PROBE_STAGES
};

struct probe_result {
	enum probe_state { PROBE_UNTRIED, PROBE_OK, PROBE_FAIL } state;
	msec ms; /* that the stage took */
};

struct probe_line {
	msec at; /* since the connection began */
	enum probe_who { PROBE_NOTE, PROBE_SENT, PROBE_RECEIVED } who;
	const char *text;
};

struct probe_cert {
	struct certfact fact;
	bool validated; /* it and its issuers, up to a trusted root */
};

/* A name that the certificate may be for, and what of it must say so. */
struct probe_ref {
	const char *name, *as; /* "mx.example.org", "san:mx" */
	bool cn;	       /* the common name only */
};

/* What a want finds out about a host that speaks TLS. */
struct probe_check {
	const char *want; /* its text, without deadlines */
	bool verified;
	enum tls_reason reason;
	const char *matched, *matched_by; /* "mx.example.org", "san:mx" */
};

/* What delivery would do under a want. */
struct probe_would {
	const char *want; /* as people write it: "forced" */
	enum probe_does {
		PROBE_DOES_REFUSE, /* next host, then deferred */
		PROBE_DOES_CLEAR,
		PROBE_DOES_ENCRYPT
	} does;
	bool verified;
	bool anew; /* clear text on a new connection */
	enum tls_reason reason; /* why refused, or not encrypted, or not
				   verified */
};

struct probe_host {
	const char *name, *ip; /* "mx.example.org", "192.0.2.1" */
	unsigned port, pref;
	bool route;	   /* of a static route, or given by the caller */
	bool secure;	   /* DNSSEC vouches for the name */
	const char *local; /* our address, "" before the connection */
	const char *ptr;   /* name of the address; NULL: none, not asked */
	struct probe_result stage[PROBE_STAGES];
	const char *failure; /* what ended it, "" if nothing did */
	enum tls_reason no_tls; /* why there was no TLS */
	bool begun;	   /* the peer was ready for the handshake */
	enum tls_step step; /* of the ladder at which TLS came up */
	enum tls_reason first; /* why it did not at the first */
	/* "" without TLS */
	const char *version, *cipher, *group;
	int bits, alg_bits;
	const struct probe_ref *ref; /* names compared; a NULL name ends */
	struct probe_check check[4]; /* the first is of the probe's want */
	unsigned ncheck;
	struct probe_cert *cert;
	unsigned ncert;
	struct probe_line *line;
	unsigned nline;
	struct probe_would would[PROBE_LEVELS + 1];
	unsigned nwould;
};

struct probe_report {
	const char *target, *domain, *want;
	bool route;	  /* the hosts are those of a static route */
	enum mx_status status;
	const char *why; /* of the look-up, NULL when MX_OK */
	struct probe_host *host;
	unsigned nhost;
};

struct probe_conf {
	struct loop *loop;
	struct dns *dns;
	const char *helo;
	const char *sender;	/* of MAIL FROM; "" is the null sender */
	struct sock_addr bind_v4, bind_v6; /* len 0: any */
	uint16_t port;
	enum mx_ip ip;
	unsigned parallel;	/* hosts at a time */
	double timeout_scale;	/* as in smtpc_conf */
	struct tlsctx *tlsctx;
	struct tlstrust *trust;	/* NULL: the context's */
	const struct certpile *roots; /* the same, to show what is validated */
	struct tlswant want;	/* what "verified" means */
	/* One more to judge by, beside the levels, as it is to be called; its
	 * roots are conf's. NULL: none. */
	const struct tlswant *force;
	const char *force_name;
	bool implicit_tls;
};

struct probe;
typedef void probe_fn(void *arg, const struct probe_report *r);

/*
 * target: as the caller wrote it. domain: the name that mail would be for.
 * hosts: as in mx_hosts(), tested in place of the MX; or NULL. All is copied
 * but what conf and hosts point to. fn comes once, from the loop; the report
 * lives until probe_destroy().
 */
struct probe *probe_new(const struct probe_conf *conf, const char *target,
    const char *domain, const char *const *hosts, probe_fn *fn, void *arg);
void probe_destroy(struct probe **pp);

/* 0 to 100: 100 when every stage of every host is well. */
unsigned probe_confidence(const struct probe_report *r);
/* What delivery would do with the destination: the first host that does not
 * refuse; i is an index of would[]. *host_r: which one, NULL: none. */
const struct probe_would *probe_would(const struct probe_report *r,
    unsigned i, const struct probe_host **host_r);
/* Advice, a line each; NULL: no more. */
const char *probe_hint(const struct probe_host *h, unsigned i);
/* Of hosts that answer, the worst. */
enum probe_verdict {
	PROBE_VERIFIED,
	PROBE_UNVERIFIED,
	PROBE_NO_TLS,
	PROBE_NO_HOST /* there is none, or none answers */
};
enum probe_verdict probe_verdict(const struct probe_report *r);
const char *probe_verdict_word(enum probe_verdict v);
const char *probe_stage_word(enum probe_stage s); /* "answer" */

void probe_text(const struct probe_report *r, struct buf *dst);
void probe_json(const struct probe_report *r, struct buf *dst);

#endif

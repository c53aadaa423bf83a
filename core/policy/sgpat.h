/*
 * Which clients a sender group is about: one entry of its list.
 *
 *     192.0.2.7, 2001:db8::7	an address
 *     192.0.2.0/24		a network
 *     192.0.2.10-20		a range, also 192.0.2.10-192.0.3.7
 *     192.0.2.			all that begin so
 *     mx.example.org		a host by name
 *     .example.org		all hosts below that
 *     dnslist[zone.example]	who is on a DNS list (RFC 5782)
 *     dnslist[zone.example=127.0.0.4]	so, with that answer or network
 *     ALL			everybody
 *
 * A name counts only if it leads back to the address. Of a list, answers
 * within 127.0.0.0/8 count, but for 127.255.255.0/24, with which lists tell
 * that they do not want to answer; others are those of somebody who bought an
 * abandoned domain.
 */
#ifndef POLICY_SGPAT_H
#define POLICY_SGPAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "net/sock.h"

#define SGPAT_ZONES 32	  /* DNS lists of a configuration */
#define SGPAT_ANSWERS 16  /* addresses of an answer that are looked at */

enum sgpat_type {
	SGPAT_ALL,
	SGPAT_NET,
	SGPAT_RANGE,
	SGPAT_HOST,
	SGPAT_BELOW,
	SGPAT_DNSLIST
};

struct sgpat {
	enum sgpat_type type;
	const char *text;	/* as it was written */
	struct sock_net net;	/* SGPAT_NET; of DNSLIST: the answer */
	bool answer;		/* DNSLIST: there is one */
	unsigned char low[16], high[16]; /* SGPAT_RANGE, IPv4 mapped */
	const char *name;	/* HOST, BELOW (with its dot), DNSLIST */
	unsigned zone;		/* DNSLIST: its number, set by the owner */
};

/* What a DNS list has said. */
struct sgpat_zone {
	bool known;
	bool failed; /* nothing was heard */
	unsigned n;  /* 0: it is not listed */
	uint32_t ip[SGPAT_ANSWERS]; /* host order */
};

/* What is known of a client. */
struct sgpat_client {
	const struct sock_addr *addr;
	bool name_known, name_failed;
	const char *name; /* that leads back; NULL: there is none */
	const struct sgpat_zone *zone;
};

enum sgpat_match {
	SGPAT_NO,
	SGPAT_YES,
	SGPAT_NOBODY_KNOWS, /* what was asked for cannot be had */
	SGPAT_ASK_NAME, /* cannot be said without it */
	SGPAT_ASK_ZONE
};

int sgpat_parse(struct pool *pool, const char *text, struct sgpat *p_r,
    struct err *why);
enum sgpat_match sgpat_match(const struct sgpat *p,
    const struct sgpat_client *c);
/* The name to ask for, "2.0.0.127.zone.example". */
void sgpat_question(const char *zone, const struct sock_addr *a,
    struct buf *name);

#endif

/*
 * What the mail flow policy of a client says to it: at its greeting, to its
 * sender, to its recipients. The server asks here, and so do those who tell
 * beforehand what it would do (`postern explain`, `postern trace`).
 */
#ifndef POLICY_ADMIT_H
#define POLICY_ADMIT_H

#include "net/mx.h"
#include "policy/conf.h"

enum admit {
	ADMIT_YES,
	ADMIT_REFUSE,	  /* reply */
	ADMIT_RESET,	  /* not even that */
	ADMIT_TLS,	  /* reply: not without TLS */
	ADMIT_AUTH	  /* reply: not without AUTH */
};

/* The greeting. */
enum admit admit_client(const struct conf_flow *f, struct err *reply);
/* MAIL; auth NULL: nobody. A sender that is an exception is refused here, or
 * not asked for its domain. */
struct admit_sender {
	const struct conf *conf;
	const struct conf_flow *flow;
	bool tls;
	const char *auth;
	const struct addr *sender;
};
enum admit admit_sender(const struct admit_sender *s, struct err *reply);
/* Must the domain of that sender exist? Then by what the DNS says of it. */
bool admit_domain_asked(const struct conf *conf, const struct conf_flow *f,
    const struct addr *sender);
enum admit admit_domain(const struct conf_flow *f, enum mx_status status,
    struct err *reply);
/* RCPT, before conf_takes(): a report to an address that we tagged goes to the
 * one behind the tag, which rcpt is then. One that comes from outside, to an
 * address that we did not tag or not so, may be refused. */
enum admit admit_tag(const struct conf *conf, const struct conf_flow *f,
    bool relay, const struct addr *sender, struct addr *rcpt,
    struct err *reply);

#endif

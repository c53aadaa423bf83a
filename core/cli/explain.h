/*
 * Private to `postern explain` and `postern trace`: what is known of a
 * message's way, as one JSON object; the texts for people are made of that.
 *
 *   cli_explain     the command line, and the tree
 *   cli_trace       the command line or the dialogue, and the steps
 *   explain         from the client to the hosts
 *   explain_client  the client: host access table, and whom it may send to
 *   explain_rcpt    a recipient: next hop, TLS, names, certificate, schedule
 *   explain_hosts   the hosts of its next hop and the names there
 *   explain_more    what is asked at its delivery, and limits
 *   explain_text    the words
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include <jansson.h>

#include "base/buf.h"
#include "cli/policy.h"
#include "cli/tables.h"
#include "mail/addr.h"
#include "relay/way.h"
#include "tls/certmap.h"

struct explain {
	struct pool *pool;
	struct conf *conf;
	struct policy_message *m;
	struct policy_who who;
	struct addr sender;
	struct relay_conf relay; /* its, with the names of certificates */
	struct destmap *map;
	struct loop *loop;
	struct dns *dns;	/* NULL: names are not looked up */
	struct tables tables;
	struct certmap certs;
	struct err no_certs;	/* why they are not known, or "" */
	struct trial *trial;	/* while the message can be delivered */
	json_t *unknown;	/* what could not be found out: sentences */
	int status;		/* 1: not all is taken */
};

/* All of it: *all_r is to be given back. Returns 0: all would be taken, 1: not
 * by all, -1: why it cannot be said. */
int explain_message(struct policy_message *m, json_t **all_r,
    struct err *why);

/* What of the client's listener, group and policy is known; refused in why
 * with -1: it is not greeted (code 0: the connection is reset). */
int explain_client(struct explain *e, json_t *all, struct err *refused);
/* Whom the server refuses by itself, as drive_send() has it. 1: the sender is
 * none, which is the end; -1: a recipient is none. */
int explain_envelope(struct explain *e, json_t *all, json_t **refused_r,
    struct err *why);

/*
 * o is a recipient that is taken, with what the policy wants for it; here are
 * added: hop, tls, names, certificate, limits, schedule, failures. tried: what
 * the policy tried. -1: nothing would be sent; o says why ("error").
 */
int explain_rcpt(struct explain *e, json_t *o, const json_t *tried);
/* Hosts with their names; way: of hop, route: its block or hosts. mx NULL: they
 * are not known. */
void explain_hosts(struct explain *e, json_t *o, const struct way *way,
    const struct relay_route *route, const struct tlswant *want,
    const struct mx_result *mx);
/* Asks for them; NULL: nobody is asked. */
const struct mx_result *explain_mx(struct explain *e, const struct way *way,
    const struct relay_route *route);
/* What tls_policy/1.decide wants of the next hop: *want_r, or NULL, with whose
 * it is. -1: it failed, nothing is sent. */
int explain_decide(struct explain *e, const struct way *way,
    const struct relay_route *route, const struct mx_result *mx,
    const char **want_r, const char **source_r, struct err *why);
/* The deliver hook, as o.deliver; *want_r and *route_r: what it wants now, or
 * NULL. -1: it is not sent. */
int explain_deliver(struct explain *e, json_t *o, const char *hop,
    const char *want, const char **want_r, const char **route_r);
void explain_limits(struct explain *e, json_t *o, const struct way *way,
    const struct relay_route *route, const struct tlswant *want);

/* The words, part by part; all of them are a tree. */
void explain_text(const json_t *all, struct buf *dst);
void explain_text_client(const json_t *all, struct buf *dst);
void explain_text_hat(const json_t *all, struct buf *dst);
void explain_text_access(const json_t *all, struct buf *dst);
void explain_text_tried(const json_t *all, struct buf *dst);
void explain_text_outcome(const json_t *all, struct buf *dst);
void explain_text_rcpt(const json_t *o, struct buf *dst);
void explain_text_unknown(const json_t *all, struct buf *dst);

/* "FILE:LINE" of the boot file. */
const char *explain_place(struct explain *e, int line);
void explain_put(json_t *o, const char *key, const char *value);
void explain_unknown(struct explain *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

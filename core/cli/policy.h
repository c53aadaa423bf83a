/*
 * Private to `postern policy`, `postern explain` and `postern trace`: which
 * policy is meant, and a message tried on it.
 */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "net/dns.h"
#include "policy/conf.h"
#include "policy/whois.h"
#include "trial/trial.h"

enum { POLICY_USAGE = 64, POLICY_RCPTS = 1000 };

/* conf_file NULL: the usual boot file, if it is there. file NULL: the policy
 * that it names; else this one, with the settings of its policy { }. */
int policy_conf(struct conf **c_r, const char *conf_file, const char *file,
    struct err *why);

/* A message as the command line tells of it. */
struct policy_message {
	const char *from, *rcpt[POLICY_RCPTS], *ip, *helo, *name, *auth, *tls;
	const char *listener, *eml; /* its file; NULL: what was typed */
	struct str typed;	/* or nothing (NULL): a short text */
	const char *group;	/* of senders; NULL: none */
	const json_t *refused;	/* as drive_send() has it, or NULL */
	unsigned nrcpt;
	int relay; /* may it send to anywhere? 1, -1: no, 0: not known */
	bool live;
	bool draft; /* with what is not committed in the store */
	const char *conf_file;
	bool json;
};
/*
 * The options of all who try a message; what is behind them is left from
 * optind on. -1: go on; else it is over with that status. usage() is given
 * where it is to be printed and returns its second argument.
 */
int policy_options(int argc, char **argv, struct policy_message *m,
    int (*usage)(FILE *to, int status));
/* The configuration that is meant. */
int policy_message_conf(struct conf **c_r, const struct policy_message *m,
    struct err *why);
/* One more recipient; -1: there are too many. */
int policy_rcpt(struct policy_message *m, const char *address);

/* Who the client of a message is, found as the server finds it; at the
 * listener that is named, else at the first. */
struct policy_who {
	struct sock_addr addr;
	const struct conf_listener *l;	/* NULL: the boot file has none */
	const struct conf_flow *flow;	/* what it may; or NULL */
	struct whois *whois;
	struct whois_is is;
	/* It is put off, because it may be in a group that nobody can tell;
	 * code 0: it is not. */
	struct err doubt;
	struct pool *pool;
	bool known;
	bool network; /* it may send to anywhere, by its address or group */
};
/* Fills in the message, too: listener, name, group, relay. dns NULL: nothing
 * is asked. -1: there is no such listener, or its address is none. */
int policy_who(struct policy_who *w, const struct conf *conf,
    struct policy_message *m, struct loop *loop, struct dns *dns,
    struct err *why);
void policy_who_end(struct policy_who *w);
/* The resolver of a boot file. */
int policy_dns(struct dns **dns_r, struct loop *loop, const struct conf *conf,
    struct err *why);
/*
 * What becomes of it: {"tried": what the engine wrote down (engine/policy.h,
 * "traced"), "result": as of drive_send()}. Without a policy "tried" is empty.
 * then, or NULL: it is called while the message can be delivered.
 */
typedef void policy_then(void *arg, struct trial *t, json_t *out);
int policy_try(const struct conf *conf, const struct policy_message *m,
    policy_then *then, void *arg, json_t **out_r, struct err *why);
/* Did the policy itself fail at that message, whatever became of it? */
bool policy_failed(const json_t *result);

/* What was answered to a question, or that it was not, for people: a message
 * may have brought it, so it is short and cannot act on a terminal. */
void policy_answer_text(const json_t *question, struct buf *dst);
/* The rules and questions in order, and the treatments, for people. */
void policy_trace_text(const json_t *out, struct buf *dst);

/* policy_shadow.c */
int policy_shadow(int argc, char **argv);

#endif

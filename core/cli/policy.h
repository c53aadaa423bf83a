/*
 * Private to `postern policy` and `postern explain`: which policy is meant, and
 * a message tried on it.
 */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "net/dns.h"
#include "policy/conf.h"
#include "trial/trial.h"

enum { POLICY_USAGE = 64, POLICY_RCPTS = 1000 };

/* conf_file NULL: the usual boot file, if it is there. file NULL: the policy
 * that it names; else this one, with the settings of its policy { }. */
int policy_conf(struct conf **c_r, const char *conf_file, const char *file,
    struct err *why);

/* A message as the command line tells of it. */
struct policy_message {
	const char *from, *rcpt[POLICY_RCPTS], *ip, *helo, *name, *auth, *tls;
	const char *listener, *eml; /* its file; NULL: a short text */
	unsigned nrcpt;
	int relay; /* may it send to anywhere? 1, -1: no, 0: not known */
	bool live;
};
/* An option of the message; -1: it is none, or one too many. */
int policy_option(struct policy_message *m, int c, const char *value);
/* Fills in relay, by who the client is. -1: its address is none. */
int policy_relays(const struct conf *conf, struct policy_message *m,
    struct err *why);
/* The resolver of a boot file. */
int policy_dns(struct dns **dns_r, struct loop *loop, const struct conf *conf,
    struct err *why);
#define POLICY_OPTIONS                                                         \
	{ "from", required_argument, NULL, 'f' },                              \
	{ "rcpt", required_argument, NULL, 'r' },                              \
	{ "ip", required_argument, NULL, 'i' },                                \
	{ "helo", required_argument, NULL, 'H' },                              \
	{ "name", required_argument, NULL, 'n' },                              \
	{ "auth", required_argument, NULL, 'a' },                              \
	{ "tls", required_argument, NULL, 't' },                               \
	{ "listener", required_argument, NULL, 'l' },                          \
	{ "live", no_argument, NULL, 'L' },                                    \
	{ "config", required_argument, NULL, 'c' },                            \
	{ "json", no_argument, NULL, 'j' },                                    \
	{ "help", no_argument, NULL, 'h' },

/*
 * What becomes of it: {"tried": what the engine wrote down (engine/policy.h,
 * "traced"), "result": as of drive_send()}. Without a policy "tried" is empty.
 */
int policy_try(const struct conf *conf, const struct policy_message *m,
    json_t **out_r, struct err *why);

/* The rules and questions in order, and the treatments, for people. */
void policy_trace_text(const json_t *out, struct buf *dst);

/* policy_shadow.c */
int policy_shadow(int argc, char **argv);

#endif

/*
 * What the testers share: options, and the world of a probe (relay/probe.h)
 * outside the relay: loop, resolver, roots, from the boot file if there is one.
 */
#ifndef CLI_TESTER_H
#define CLI_TESTER_H

#include <getopt.h>
#include <stdbool.h>

#include "base/err.h"
#include "policy/conf.h"
#include "relay/probe.h"

/* Exit statuses: those of probe_verdict(), then, out of their way: */
enum tester_exit {
	TESTER_USAGE = 64,
	TESTER_NO_HOST = 69, /* nothing answers */
	TESTER_BROKEN = 78   /* boot file, roots, resolver */
};

struct tester {
	/* From the command line. */
	const char *conf_file; /* NULL: the usual one, if it can be read */
	const char *want, *helo, *sender, *ca_file;
	uint16_t port;	       /* 0: as configured */
	int ip;		       /* enum mx_ip; -1: as configured */
	unsigned parallel;
	msec timeout;
	bool implicit_tls, json;
	/* Made by tester_open(). */
	struct pool *pool;
	struct conf *conf;     /* NULL: no boot file */
	struct loop *loop;
	struct dns *dns;
	struct tlsctx *tlsctx;
	struct tlstrust *trust;
	struct certpile *roots;
	struct probe_conf probe;
};

/* For getopt_long(): those of both commands. */
#define TESTER_SHORT "c:46hjp:"
extern const struct option tester_options[];
extern const char tester_usage[];

void tester_init(struct tester *t);
/* An option of tester_options but --help. */
int tester_option(struct tester *t, int c, const char *value,
    struct err *why);
int tester_open(struct tester *t, struct err *why);
void tester_close(struct tester *t);

/* "user@domain", "domain", "host:port", "[address]:port", an address. A port or
 * an address makes it a host; else the domain's MX are meant. */
struct tester_target {
	struct str local, domain; /* local: "" if none was given */
	const char *hosts[2];	  /* one host and NULL, or NULL */
};
int tester_target(struct tester *t, const char *text,
    struct tester_target *to_r, struct err *why);
/* Tests and prints; the exit status. hosts: as for probe_new(). */
int tester_run(struct tester *t, const char *target, const char *domain,
    const char *const *hosts, void (*print)(const struct probe_report *r,
    struct buf *dst));

#endif

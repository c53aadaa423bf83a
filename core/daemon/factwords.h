/*
 * Facts as texts: what inbound_facts.c (on the way in) and plugs_facts.c (on
 * the way out) have in common. NULL is what is not known, or not of these.
 */
#ifndef DAEMON_FACTWORDS_H
#define DAEMON_FACTWORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/str.h"
#include "host/about.h"
#include "mail/envelope.h"
#include "tls/tlsio.h"

const char *fact_number(struct pool *pool, uint64_t n);
const char *fact_truth(bool is);
const char *fact_text(struct pool *pool, struct str s);
const char *fact_profile(struct pool *pool, const struct rcpt *r);
const char *fact_domain(struct pool *pool, struct str s);
/* Those that are the same for a client and a host; t may be NULL. */
const char *fact_tls(const struct tls_info *t, enum fact f,
    struct pool *pool);
const char *fact_envelope(const struct envelope *env, enum fact f,
    struct pool *pool);

#endif

/*
 * Plugins on the way out: what relay/relay.h (struct relay_asks) asks, asked of
 * the plugin host: tls_policy/1, the deliver hook, and the reports.
 *
 * It works under one generation of plugins at a time, that of the relay's
 * configuration; what was asked before keeps its own.
 */
#ifndef DAEMON_PLUGS_OUT_H
#define DAEMON_PLUGS_OUT_H

#include "policy/conf.h"
#include "relay/relay.h"

struct plugs_out;

extern const struct relay_asks plugs_out_asks; /* arg: struct plugs_out */

struct plugs_out *plugs_out_new(struct loop *l);
/* Before the relay has the configuration. */
void plugs_out_set(struct plugs_out *p, const struct conf *conf);
/* From now on opinions tell whose they are and by which entry; in pool. For the
 * command line: a relay has no use for it. */
void plugs_out_explain(struct plugs_out *p, struct pool *pool);
/* After the relay and the queue; reports that are under way are given up. */
void plugs_out_destroy(struct plugs_out **pp);

#endif

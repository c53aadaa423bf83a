/*
 * Who says what TLS recipients need, asked without a server: the instances of
 * a boot file with tls_policy/1, loaded and started by themselves.
 */
#ifndef CLI_TABLES_H
#define CLI_TABLES_H

#include "daemon/plugs_out.h"
#include "host/host.h"
#include "net/loop.h"
#include "policy/conf.h"

struct tables {
	struct conf conf;	/* as if there were no other plugins */
	struct host *host;
	struct plugs_out *out;	/* for plugs_out_asks */
	bool told;
	struct err why;
	struct err left_out; /* why only tls_table is asked, or "" */
};

/* A copy of conf with the instances of that plugin and of those that have one
 * of the operations: all are loaded by h to know, and none is started. -1: one
 * cannot be loaded, why; then it is the instances of that plugin alone. */
int tables_choose(struct conf *dst, const struct conf *conf, struct host *h,
    const char *const *ops, const char *plugin, struct pool *pool,
    struct err *why);
/* conf, loop, dns (NULL: nothing can be asked) and pool live as long as the
 * tables. Those of other plugins than
 * tls_table are known if all plugins of conf can be loaded. -1: why; to be
 * closed all the same. */
int tables_open(struct tables *v, const struct conf *conf, struct loop *loop,
    struct dns *dns, struct pool *pool, struct err *why);
void tables_close(struct tables *v);

#endif

/*
 * postern/metrics.h - metrics/1: who publishes what the node counts.
 *
 * "metrics/1.emit": all metrics of the node, each second, in every worker; the
 * values are sums over the workers. Keep what you need: it is valid during the
 * call only. PST_WAIT is not allowed.
 */
#ifndef POSTERN_METRICS_H
#define POSTERN_METRICS_H

#include <postern/plugin.h>

#define PST_METRICS_EMIT "metrics/1.emit" /* struct pst_metrics */

enum pst_metric_kind { PST_COUNTER = 0, PST_GAUGE = 1, PST_HISTOGRAM = 2 };

struct pst_bucket {
	double le;	/* upper bound */
	uint64_t count; /* of all at or below it */
};

struct pst_metric {
	const char *name; /* "messages_received_total", [a-z0-9_] */
	enum pst_metric_kind kind;
	const char *help;
	const char *labels; /* "plugin=\"rate\",hook=\"rcpt\"", or "" */
	int64_t value;	    /* histogram: the number of observations */
	double sum;	    /* histogram */
	uint32_t nbucket;
	const struct pst_bucket *bucket;
};

struct pst_metrics {
	uint32_t size;
	uint32_t count; /* metrics of one name stand together */
	const struct pst_metric *metric;
};

#endif

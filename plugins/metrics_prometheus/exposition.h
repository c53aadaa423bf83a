/*
 * Metrics in Prometheus's text format 0.0.4, and by its customs: names begin
 * with postern_, those of counters end with _total, and times are in seconds
 * (a histogram x_ms becomes x_seconds).
 */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include <postern/metrics.h>

/* Freed by the caller; NULL: no memory. */
char *exposition(const struct pst_metrics *m, size_t *n_r);

#endif

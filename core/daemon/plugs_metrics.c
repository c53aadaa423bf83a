#include "daemon/plugs_metrics.h"

#include <postern/metrics.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "host/hooks.h"

static void	add_listed(struct shm *, struct pool *, struct pst_metric *);
static unsigned	add_named(struct shm *, struct pool *, struct pst_metric *);
static struct pst_bucket *buckets(struct pool *, const struct shm_named *);
static int	by_name(const void *, const void *);

void
plugs_metrics(struct shm *s, struct host_gen *g)
{
	struct pst_metrics m = { .size = sizeof(m) };
	struct instance *i = NULL;
	struct op_answer answer;
	struct pst_metric *v;
	struct pool *pool;

	if (g == NULL || op_next(g, PST_METRICS_EMIT, NULL) == NULL)
		return;
	pool = pool_new(0);
	v = pool_alloc(pool, (M_COUNT + SHM_NAMED) * sizeof(*v));
	add_listed(s, pool, v);
	m.metric = v;
	m.count = M_COUNT + add_named(s, pool, v + M_COUNT);
	while ((i = op_next(g, PST_METRICS_EMIT, i)) != NULL)
		op_now(i, PST_METRICS_EMIT, NULL, &m, &answer);
	pool_destroy(&pool);
}

static void
add_listed(struct shm *s, struct pool *pool, struct pst_metric *v)
{
	static const struct {
		enum pst_metric_kind kind;
		const char *help;
	} table[] = {
#define COUNTER PST_COUNTER
#define GAUGE PST_GAUGE
#define METRIC(id, name, kind, help) { kind, help },
#include "tbl/metrics.h"
#undef METRIC
#undef COUNTER
#undef GAUGE
	};
	char name[80];
	unsigned i;

	for (i = 0; i < M_COUNT; i++)
		v[i] = (struct pst_metric){ .name = pool_strdup(pool,
			shm_metric_name(i, name, sizeof(name))),
			.kind = table[i].kind, .help = table[i].help,
			.labels = "", .value = shm_metric_sum(s, i) };
}

static unsigned
add_named(struct shm *s, struct pool *pool, struct pst_metric *v)
{
	struct shm_named *row;
	unsigned i, n = 0;

	row = pool_alloc(pool, sizeof(*row));
	for (i = 0; shm_named_at(s, i, row); i++) {
		if (row->name[0] == '\0')
			continue; /* it is being made */
		v[n] = (struct pst_metric){ .name = row->name,
			.kind = row->kind == SHM_HISTOGRAM ? PST_HISTOGRAM :
			    row->kind == SHM_GAUGE ? PST_GAUGE : PST_COUNTER,
			.help = row->help, .labels = row->labels,
			.value = row->value, .sum = row->sum };
		if (row->kind == SHM_HISTOGRAM) {
			v[n].nbucket = SHM_NBOUNDS;
			v[n].bucket = buckets(pool, row);
		}
		n++;
		row = pool_alloc(pool, sizeof(*row));
	}
	qsort(v, n, sizeof(*v), by_name);
	return n;
}

static struct pst_bucket *
buckets(struct pool *pool, const struct shm_named *row)
{
	static const double bounds[SHM_NBOUNDS] = SHM_BOUNDS;
	struct pst_bucket *b = pool_alloc(pool, SHM_NBOUNDS * sizeof(*b));
	unsigned i;

	for (i = 0; i < SHM_NBOUNDS; i++)
		b[i] = (struct pst_bucket){ bounds[i], row->bucket[i] };
	return b;
}

static int
by_name(const void *a, const void *b)
{
	const struct pst_metric *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : strcmp(x->labels, y->labels);
}

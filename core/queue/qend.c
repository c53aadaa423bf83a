/*
 * Units that end without an attempt: their time is over, or an administrator
 * wants it so.
 */
#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

static void on_expired(void *arg, struct qunit *u);

void
report_all(struct queue *q, struct qunit *u, bool bounce, const char *status,
    const char *text)
{
	unsigned i, n = u->u.active->nrcpt;
	struct qreport *v = mem_array(n, sizeof(*v));

	for (i = 0; i < n; i++)
		v[i] = (struct qreport){ .i = i, .result = QRESULT_BOUNCE,
			.status = status, .text = str_c(text) };
	report_unit(q, u, v, n, true, !bounce);
	mem_free(v);
}

void
report_expired(struct queue *q, struct qunit *u)
{
	u->expired = true;
	take_unit(q, u, on_expired, q);
}

/* By its lifetime, or because of TLS sooner. */
bool
report_is_late(const struct queue_profile *p, const struct queue_want *want,
    msec queued, enum tls_reason tls)
{
	return clock_wall() - queued >= retry_end(p, want, tls);
}

/* When TLS has a deadline, it holds for whom TLS failed. */
static void
on_expired(void *arg, struct qunit *u)
{
	const struct store_rcpt *r;
	struct queue_want want;
	struct qreport *v;
	struct queue *q;
	unsigned i, n;

	OBJ_CAST(q, arg, QUEUE_MAGIC);
	if (u == NULL)
		return;
	n = u->u.active->nrcpt;
	v = mem_array(n, sizeof(*v));
	qunit_want(u, &want);
	for (i = 0; i < n; i++) {
		r = &u->msg->rcpt[u->u.active->rcpt[i]->rid];
		v[i] = (struct qreport){ .i = i, .result = QRESULT_RETRY,
			.code = r->code, .status = r->status,
			.text = str_c(r->text), .remote = str_c(r->remote),
			.tls = r->tls };
		if (v[i].text.n == 0)
			v[i].text = STR("it could not be tried in time");
		if (!report_is_late(qunit_profile_now(u), &want, u->queued,
			r->tls))
			v[i].result = QRESULT_AGAIN;
	}
	report_unit(q, u, v, n, true, false);
	mem_free(v);
}

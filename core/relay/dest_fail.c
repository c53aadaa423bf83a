/*
 * Destinations that failed: their due units are told why.
 */
#include "relay/relay_priv.h"

static void told(void *arg, struct qunit *u);

void
dest_tell(struct relay *r, struct qunit *u, const struct dest_fail *f,
    const char *needed)
{
	struct qreport *v;
	unsigned i, n;

	(void)qunit_rcpt(u, &n);
	v = mem_array(n, sizeof(*v));
	for (i = 0; i < n; i++) {
		v[i].i = i;
		v[i].result = f->result;
		v[i].code = f->code;
		v[i].status = f->status;
		v[i].text = str_c(f->text);
		v[i].remote = str_c(f->remote);
		v[i].dcid = f->dcid;
		v[i].tls = f->tls;
		v[i].needed = needed;
	}
	queue_report(r->queue, u, v, n);
	mem_free(v);
}

/* Every host failed: the units that are due now are told why, each by its
 * own schedule; the destination pauses. */
void
dest_give_up(struct dest *d)
{
	const struct relay_conf *conf = d->relay->gen->conf;

	loop_timer_clear(&d->patience);
	d->state = DEST_FAILING;
	d->failing = qhop_due(d->hop);
	if (d->backoff == 0)
		d->backoff = conf->host_backoff;
	else if (d->backoff < conf->host_backoff_max / 2)
		d->backoff *= 2;
	else
		d->backoff = conf->host_backoff_max;
	dest_tell_slice(d);
}

void
dest_tell_slice(struct dest *d)
{
	unsigned n;

	if (d->taking)
		return; /* for a failure before this one: told() goes on */
	d->slicing = true;
	for (n = 0; n < RELAY_FAIL_SLICE; n++) {
		if (d->failing == 0 || qhop_due(d->hop) == 0)
			break;
		d->failing--;
		d->taking = true;
		qhop_take(d->hop, told, d);
		if (d->taking) {
			d->slicing = false;
			return; /* told() goes on */
		}
	}
	d->slicing = false;
	if (n == RELAY_FAIL_SLICE) {
		loop_timer_set(&d->timer, 0);
		return;
	}
	if (d->fail.result == QRESULT_RETRY) {
		d->state = DEST_DOWN;
		loop_timer_set(&d->timer, d->backoff);
		return;
	}
	d->backoff = 0;
	d->mx_until = 0;
	d->state = DEST_NEW;
	if (qhop_due(d->hop) > 0)
		loop_timer_set(&d->timer, 0);
	else
		dest_settle(d);
}

static void
told(void *arg, struct qunit *u)
{
	const struct dest_fail untried = { .result = QRESULT_AGAIN };
	struct dest *d;

	OBJ_CAST(d, arg, DEST_MAGIC);
	d->taking = false;
	if (u != NULL)
		dest_tell(d->relay, u,
		    d->state == DEST_FAILING ? &d->fail : &untried,
		    relay_dest_text(d));
	if (d->state != DEST_DOWN && !d->slicing)
		loop_timer_set(&d->timer, 0);
}

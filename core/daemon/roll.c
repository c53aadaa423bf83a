#include "daemon/roll.h"

#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"
#include "daemon/plugcheck.h"

static void	roll_next(struct master *);
static void	roll_over(struct master *, const char *);

void
roll_verb(void *arg, struct control_req *r, const json_t *args)
{
	struct err why = ERR_INIT;
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	(void)args;
	if (!m->ready || m->stopping) {
		control_fail(r, "the relay is not serving");
		return;
	}
	if (m->roll.on) {
		control_fail(r, "the workers are being replaced already");
		return;
	}
	if (plugcheck(m->conf, epoch_reader(m->epoch), &m->privs, false,
		&why) != 0) {
		log_critical("the workers are not replaced: %s", why.text);
		control_fail(r, "%s", why.text);
		return;
	}
	log_info("the workers are replaced one after another");
	m->roll = (struct roll){ .on = true, .asked = r };
	roll_next(m);
}

/* One that is not running now comes with the new code by itself. */
static void
roll_next(struct master *m)
{
	struct err why = ERR_INIT;
	struct child *c;

	for (; m->roll.at < m->nchild; m->roll.at++) {
		c = &m->child[m->roll.at];
		m->roll.started = false;
		if (c->pid != 0 && ipc_send(c->ipc, json_pack("{s:s}", "type",
			"stop"), NULL, 0, &why) == 0)
			return;
	}
	roll_over(m, NULL);
}

bool
roll_ended(struct child *c)
{
	struct master *m = c->m;

	if (!m->roll.on || c->index != m->roll.at)
		return false;
	if (m->roll.started) {
		roll_over(m, "a new worker ended at once, the others stay");
		return false;
	}
	m->roll.started = true;
	return true;
}

void
roll_ready(struct child *c)
{
	struct master *m = c->m;

	if (!m->roll.on || c->index != m->roll.at || !m->roll.started)
		return;
	if (m->roll.asked != NULL)
		control_row_json(m->roll.asked, json_pack("{s:i}", "worker",
		    (int)c->index));
	m->roll.at++;
	roll_next(m);
}

static void
roll_over(struct master *m, const char *why)
{
	struct control_req *r = m->roll.asked;
	unsigned n = m->roll.at;

	m->roll = (struct roll){ .on = false };
	if (why != NULL) {
		log_critical("the workers are not replaced: %s", why);
		control_fail(r, "%s", why);
	} else {
		log_info("the workers were replaced");
		control_done(r, json_pack("{s:i}", "workers", (int)n));
	}
}

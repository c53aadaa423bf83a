/*
 * The configuration store at a reload: which revision it is of. A commit
 * proposes one; when all workers have prepared it, it becomes the head just
 * before they switch, so that a relay that starts has what was in force.
 */
#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"

static int still_there(const struct master *, struct err *);

void
reload_commit(void *master, struct control_req *r, const json_t *args)
{
	int64_t revision = control_number(args, "revision", 0);
	const char *token = control_text(args, "token");
	struct master *m;

	OBJ_CAST(m, master, MASTER_MAGIC);
	if (revision <= 0 || token == NULL) {
		control_fail(r, "which revision?");
	} else if (m->stopping || m->nasked == MASTER_ASKED) {
		control_fail(r, m->stopping ? "the relay is stopping" :
		    "too many are asking");
	} else if (m->commit.revision != 0) {
		control_fail(r, "another commit is waiting");
	} else if (!str_copy(m->commit.token, sizeof(m->commit.token),
		       str_c(token))) {
		control_fail(r, "which revision?");
	} else {
		m->commit.revision = (uint64_t)revision;
		reload_ask_all(m, r);
	}
}

/* The store stays where it was at the start. */
int
reload_read(struct master *m, uint64_t generation, struct err *why)
{
	struct epoch_store from = { .path = m->conf->top.config };

	reload_shadow_read(m, &from);
	m->trying = m->commit;
	m->commit.revision = 0;
	if (m->trying.revision != 0) {
		from.proposal = m->trying.revision;
		from.token = m->trying.token;
	}
	if (epoch_read_from(&m->next, m->file, &from, generation, why) != 0)
		return -1;
	return still_there(m, why);
}

/* Objects that are in force do not go because the store has: that takes a
 * commit, or a start. */
static int
still_there(const struct master *m, struct err *why)
{
	if (m->conf->revision == 0 || epoch_over(m->next)->revision != 0)
		return 0;
	return err_text(why, "%s is gone or has no revision, and revision %ju "
	    "of it is in force: put it back, or restart the relay to go on "
	    "without", m->conf->top.config, (uintmax_t)m->conf->revision);
}

int
reload_accept(struct master *m, struct err *why)
{
	struct revs *store = NULL;
	int r;

	if (m->trying.revision == 0)
		return 0;
	r = revs_open(&store, m->conf->top.config, false, why);
	if (r == 0 && store == NULL)
		r = err_text(why, "%s is gone", m->conf->top.config);
	if (r == 0)
		r = revs_begin(store, true, why);
	if (r == 0) {
		r = revs_accept(store, m->trying.revision, m->trying.token,
		    why);
		if (revs_end(store, r == 0, why) != 0)
			r = -1;
	}
	revs_close(&store);
	return r;
}

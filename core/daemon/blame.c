#include "daemon/blame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"

static void	count(struct master *, const struct child *,
		    const struct shm_busy *);
static void	tell(struct master *, const struct child *,
		    const struct shm_busy *, const char *);
static void	suspect(struct master *, const struct shm_busy *);
static void	trip(struct master *, const struct child *,
		    const struct shm_busy *);
static const struct conf_plugin *block_of(const struct master *,
		    const char *);
static bool	is_tripped(const struct master *, int);

void
blame_hang(struct master *m, struct child *c)
{
	struct shm_busy b;

	if (shm_busy(m->shm, c->index, true, &b))
		mail_log(EV_PLUGIN_HANGS, b.plugin, (uint64_t)c->index,
		    host_where(b.where), b.place, b.mid, b.icid,
		    (uint64_t)b.since);
}

void
blame_end(struct master *m, struct child *c, int status)
{
	struct blame_plugin *p;
	struct shm_busy b;
	char how[80];
	unsigned i;

	if (!shm_busy(m->shm, c->index, c->killed, &b))
		return;
	if (c->killed)
		(void)snprintf(how, sizeof(how), "it did not return");
	else if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(how, sizeof(how), "exit with status %d",
		    WEXITSTATUS(status));
	mail_log(EV_PLUGIN_CRASHED, b.plugin, (uint64_t)c->index,
	    host_where(b.where), b.place, b.mid, b.icid, how,
	    (uint64_t)b.since);
	count(m, c, &b);
	tell(m, c, &b, how);
	suspect(m, &b);
	p = &m->blame.plugin[b.number];
	if (p->generation != c->generation)
		memset(p->at, 0, sizeof(p->at));
	p->generation = c->generation;
	p->crashes++;
	for (i = 1; i < BLAME_CRASHES; i++)
		p->at[i - 1] = p->at[i];
	p->at[BLAME_CRASHES - 1] = clock_now();
	if (p->at[0] != 0 && clock_now() - p->at[0] < BLAME_WINDOW)
		trip(m, c, &b);
}

/* In the dead worker's column, which nobody else writes now. */
static void
count(struct master *m, const struct child *c, const struct shm_busy *b)
{
	char labels[112];

	(void)snprintf(labels, sizeof(labels), "plugin=\"%s\"", b->plugin);
	shm_named_add(m->shm, c->index, shm_named_get(m->shm, SHM_COUNTER,
	    "plugin_crashes_total", labels, "Workers a plugin brought down"),
	    1);
}

static void
tell(struct master *m, const struct child *c, const struct shm_busy *b,
    const char *how)
{
	char key[96], text[256], detail[160];
	bool known = b->place[0] != '\0';

	(void)snprintf(key, sizeof(key), "plugin:%s", b->plugin);
	(void)snprintf(text, sizeof(text), "plugin %s brought worker %u down "
	    "at %s%s%s%s: %s", b->plugin, c->index, host_where(b->where),
	    known ? " (" : "", b->place, known ? ")" : "", how);
	(void)snprintf(detail, sizeof(detail), "MID: %" PRIu64 "\nICID: %"
	    PRIu64 "\nIt had run for %" PRId64 " ms", b->mid, b->icid,
	    b->since);
	master_alert(m, "Critical", key, text, detail);
}

static void
suspect(struct master *m, const struct shm_busy *b)
{
	struct blame_message *v = m->blame.message, *x = NULL;
	char key[64], text[256];
	unsigned i;

	if (b->mid == 0)
		return;
	for (i = 0; i < BLAME_MESSAGES && x == NULL; i++)
		x = v[i].mid == b->mid ? &v[i] : NULL;
	if (x == NULL) {
		x = &v[m->blame.next++ % BLAME_MESSAGES];
		*x = (struct blame_message){ .mid = b->mid };
	}
	if (++x->crashes < 2)
		return;
	shm_suspect_add(m->shm, b->mid, b->number);
	(void)snprintf(key, sizeof(key), "frozen:%" PRIu64, b->mid);
	(void)snprintf(text, sizeof(text), "MID %" PRIu64 " was at hand in %u "
	    "crashes, last of plugin %s at %s, and is frozen", b->mid,
	    x->crashes, b->plugin, host_where(b->where));
	master_alert(m, "Critical", key, text, NULL);
}

static void
trip(struct master *m, const struct child *c, const struct shm_busy *b)
{
	static const char *const what[] = {
		[CONF_CRASH_TEMPFAIL] = "its hooks fail for now",
		[CONF_CRASH_DISABLE] = "it is left out",
		[CONF_CRASH_STOP] = "the relay stops",
	};
	const struct conf_plugin *block = block_of(m, b->plugin);
	int on_crash = block != NULL ? block->on_crash : CONF_CRASH_TEMPFAIL;
	char key[96], text[256];

	if (*shm_plugin_tripped(m->shm, b->number) > c->generation)
		return;
	shm_plugin_trip(m->shm, b->number, c->generation + 1);
	mail_log(EV_PLUGIN_TRIPPED, b->plugin, (uint64_t)BLAME_CRASHES,
	    (uint64_t)(BLAME_WINDOW / 1000), what[on_crash]);
	(void)snprintf(key, sizeof(key), "tripped:%s", b->plugin);
	(void)snprintf(text, sizeof(text), "plugin %s brought %d workers down "
	    "within ten minutes: %s", b->plugin, BLAME_CRASHES,
	    what[on_crash]);
	master_alert(m, "Critical", key, text, "A reload lets it run again.");
	if (on_crash == CONF_CRASH_STOP)
		master_stop(m, EXIT_FAILURE);
}

static const struct conf_plugin *
block_of(const struct master *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->conf->nplugin; i++) {
		if (strcmp(m->conf->plugin[i].name, name) == 0)
			return &m->conf->plugin[i];
	}
	return NULL;
}

static bool
is_tripped(const struct master *m, int number)
{
	return *shm_plugin_tripped(m->shm, number) >
	    epoch_generation(m->epoch);
}

void
blame_inherit(struct master *m, uint64_t generation)
{
	int i;

	for (i = 0; i < SHM_PLUGINS; i++) {
		m->blame.plugin[i].generation = generation;
		if (is_tripped(m, i))
			shm_plugin_trip(m->shm, i, generation + 1);
	}
}

void
blame_verb(void *arg, struct control_req *r, const json_t *args)
{
	const char *name = control_text(args, "instance");
	struct master *m;
	int number = -1;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (name != NULL && block_of(m, name) != NULL)
		number = shm_plugin_get(m->shm, name);
	if (number < 0 || !is_tripped(m, number)) {
		control_fail(r, "plugin %s is not out of service",
		    name != NULL ? name : "without a name");
		return;
	}
	memset(m->blame.plugin[number].at, 0,
	    sizeof(m->blame.plugin[number].at));
	shm_plugin_trip(m->shm, number, 0);
	log_info("plugin %s runs again", name);
	reload_asked(m, r, RELOAD_CERTS);
}

json_t *
blame_status(struct master *m)
{
	char name[SHM_PLUGIN_NAME];
	json_t *v = json_array();
	int i;

	for (i = 0; i < SHM_PLUGINS; i++) {
		if (m->blame.plugin[i].crashes == 0)
			continue;
		(void)json_array_append_new(v, json_pack("{s:s, s:i, s:b}",
		    "instance", shm_plugin_name(m->shm, i, name,
			sizeof(name)), "crashes",
		    (int)m->blame.plugin[i].crashes, "tripped",
		    (int)is_tripped(m, i)));
	}
	return v;
}

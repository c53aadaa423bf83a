/*
 * A candidate policy that looks on: `postern policy shadow`. It is a setting
 * over those of boot file and store, which the epochs hand on from one to the
 * next; a relay that starts knows nothing of it.
 */
#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"

static void	tell(struct master *, struct control_req *);

/* {"file": absolute path}: on; {"off": true}: as the boot file says; else what
 * looks on is told. */
void
reload_shadow(void *master, struct control_req *r, const json_t *args)
{
	const char *file = control_text(args, "file");
	bool off = json_is_true(json_object_get(args, "off"));
	struct master *m;

	OBJ_CAST(m, master, MASTER_MAGIC);
	if (file == NULL && !off) {
		tell(m, r);
	} else if (m->stopping || m->nasked == MASTER_ASKED) {
		control_fail(r, m->stopping ? "the relay is stopping" :
		    "too many are asking");
	} else if (m->shadow.asked) {
		control_fail(r, "another candidate is waiting");
	} else if (!off && (file[0] != '/' ||
		       !str_copy(m->shadow.file, sizeof(m->shadow.file),
			   str_c(file)))) {
		control_fail(r, "which file?");
	} else {
		if (off)
			m->shadow.file[0] = '\0';
		m->shadow.asked = true;
		reload_ask_all(m, r);
	}
}

static void
tell(struct master *m, struct control_req *r)
{
	const char *file = m->conf->policy.shadow;
	bool switched = epoch_over(m->epoch)->shadow != NULL;

	control_done(r, json_pack("{s:s?, s:b, s:I, s:s, s:s}", "shadow",
	    file[0] != '\0' ? file : NULL, "switched", (int)switched, "since",
	    (json_int_t)(switched ? m->shadow_since : 0), "policy",
	    m->conf->policy.file, "log", m->conf->log.file));
}

void
reload_shadow_read(struct master *m, struct epoch_store *from)
{
	m->shadow_trying = m->shadow;
	m->shadow.asked = false;
	if (!m->shadow_trying.asked)
		from->shadow = epoch_over(m->epoch)->shadow;
	else if (m->shadow_trying.file[0] != '\0')
		from->shadow = m->shadow_trying.file;
}

/* What is listed of the log begins behind this line. */
void
reload_shadow_switched(struct master *m, const struct conf *old)
{
	const char *file = m->conf->policy.shadow;

	if (m->shadow_trying.asked)
		m->shadow_since = clock_wall();
	else if (old != NULL && strcmp(old->policy.shadow, file) == 0)
		return;
	if (file[0] != '\0')
		log_info(CONF_SHADOW " looks on: %s", file);
	else if (old != NULL && old->policy.shadow[0] != '\0')
		log_info(CONF_SHADOW " looks on no more: %s",
		    old->policy.shadow);
}

/*
 * A reload: the new configuration is tried in a scratch process, so that
 * nothing in it can harm the master; then the workers vote (reload_vote.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "base/sys.h"
#include "daemon/keys.h"
#include "daemon/notify.h"
#include "daemon/plugcheck.h"
#include "daemon/ports.h"
#include "daemon/worker.h"

#define PATIENCE SECONDS(40)
#define BROKEN_MAX 60000 /* what a pipe holds */

static void	list_start(struct master *);
static void	on_listed(void *, struct certlist *, const struct err *);
static void	list_failed(struct master *, const struct err *);
static void	check_start(struct master *);
static void	check_run(struct master *, int) ATTR_NORETURN;
static int	check_broken(void *, const char *, const char *,
		    struct err *);
static void	check_late(void *);
static int	prepare(struct master *, struct err *);
static int	keep_broken(struct master *, struct err *);
static int	keep_file(void *, const char *, struct err *);
static const char *broken_why(const struct master *, const char *, char *,
		    size_t);
static bool	said_before(struct master *, const char *, const char *);
static void	cert_failed(struct master *, struct epoch_cert *,
		    const struct err *);
static void	cert_kept(struct master *, struct epoch_cert *, const char *);
static void	on_loaded(struct master *);
static void	needs_restart(struct master *, const struct conf *,
		    const struct conf *);
static void	answer(struct master *, struct control_req *, const char *);

void
reload_start(struct master *m, enum reload what)
{
	struct err why = ERR_INIT;
	uint64_t next;
	int r;

	if (m->stopping)
		return;
	if (m->reloading != RELOAD_NONE || !m->serving) {
		if (what > m->again)
			m->again = what;
		return;
	}
	clock_update();
	m->reloading = what;
	m->answering = m->nasked;
	next = epoch_generation(m->epoch) + 1;
	if (what == RELOAD_ALL) {
		notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		    clock_now() * 1000);
		log_info("reloading %s", m->file);
		r = reload_read(m, next, &why);
	} else {
		log_info("reloading certificates");
		r = epoch_again(&m->next, m->epoch, next, &why);
	}
	if (r != 0)
		reload_refused(m, why.text);
	else
		list_start(m);
}

/* What plugins have comes first: the check looks at that, too. */
static void
list_start(struct master *m)
{
	struct err why = ERR_INIT;

	err_clear(&m->warning);
	if (m->reloading == RELOAD_CERTS && m->conf->nplugin == 0)
		on_listed(m, certlist_new(), NULL);
	else if (lister_start(&m->lister, m->loop, m->next, on_listed, m,
		     &why) != 0)
		reload_refused(m, why.text);
}

/* A store that fails does not hold up the others' new certificates. */
static void
on_listed(void *arg, struct certlist *list, const struct err *why)
{
	const struct certlist *old = NULL;
	struct err no = ERR_INIT;
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	m->lister = NULL;
	m->next_list = list;
	if (why != NULL && m->reloading == RELOAD_CERTS) {
		list_failed(m, why);
		old = m->list;
	}
	if (m->stopping)
		reload_ended(m, "the relay is stopping");
	else if (why != NULL && m->reloading == RELOAD_ALL)
		reload_refused(m, why->text);
	else if (certlist_settle(list, old, &no) != 0)
		reload_refused(m, no.text);
	else
		check_start(m);
}

static void
list_failed(struct master *m, const struct err *why)
{
	m->warning = *why;
	log_critical("certificates of a plugin stay as they are: %s",
	    why->text);
	master_alert(m, "Critical", "cert_store", "a plugin's certificates "
	    "cannot be had, the former ones stay in use", why->text);
}

static void
check_start(struct master *m)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		fatal("pipe: %s", strerror(errno));
	log_flush();
	m->checker = fork();
	if (m->checker == 0) {
		(void)close(fds[0]);
		check_run(m, fds[1]);
	}
	(void)close(fds[1]);
	if (m->checker == -1) {
		(void)close(fds[0]);
		m->checker = 0;
		reload_refused(m, strerror(errno));
		return;
	}
	m->checker_says = fds[0];
	loop_timer_init(m->loop, &m->checker_late, check_late, m);
	loop_timer_set(&m->checker_late, PATIENCE);
}

void
reload_asked(struct master *m, struct control_req *r, enum reload what)
{
	if (m->stopping || m->nasked == MASTER_ASKED) {
		control_fail(r, m->stopping ? "the relay is stopping" :
		    "too many are asking");
		return;
	}
	m->asked[m->nasked++] = r;
	reload_start(m, what);
}

void
reload_certs(void *master, struct control_req *r, const json_t *args)
{
	struct master *m;

	OBJ_CAST(m, master, MASTER_MAGIC);
	(void)args;
	reload_asked(m, r, RELOAD_CERTS);
}

void
reload_all(void *master, struct control_req *r, const json_t *args)
{
	struct master *m;

	OBJ_CAST(m, master, MASTER_MAGIC);
	(void)args;
	reload_asked(m, r, RELOAD_ALL);
}

void
reload_ask_all(struct master *m, struct control_req *r)
{
	m->asked[m->nasked++] = r;
	reload_start(m, RELOAD_ALL);
}

/* What a reload of certificates finds broken does not end it: FILE, tab, why,
 * a line each. */
static void
check_run(struct master *m, int says)
{
	struct err why = ERR_INIT;
	struct conf *c = NULL;
	struct buf broken;
	int r;

	(void)prctl(PR_SET_DUMPABLE, 0);
	buf_init(&broken, BROKEN_MAX);
	r = epoch_conf(m->next, &conf_reader_plain, &c, &why);
	if (r == 0)
		r = conf_tls_try(c, m->next_list,
		    m->reloading == RELOAD_CERTS ? check_broken : NULL,
		    &broken, &why);
	/* Code is loaded as the workers do, with what the master may read. */
	if (r == 0 && m->reloading == RELOAD_ALL && c->nplugin > 0) {
		r = epoch_files(m->next, c, &why);
		master_log_files(m, c);
		if (r == 0)
			r = plugcheck(c, epoch_reader(m->next), &m->privs,
			    true, &why);
	}
	if (r != 0) {
		buf_reset(&broken);
		(void)buf_add_c(&broken, why.text);
	}
	if (sys_write_all(says, buf_p(&broken), buf_len(&broken)) != 0)
		_exit(2);
	_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int
check_broken(void *arg, const char *use, const char *file, struct err *why)
{
	(void)use;
	(void)buf_printf(arg, "%s\t%s\n", file, why->text);
	return 0;
}

static void
check_late(void *arg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (m->checker > 0)
		(void)kill(m->checker, SIGKILL);
}

void
reload_checked(struct master *m, int status)
{
	struct err why = ERR_INIT;
	ssize_t n;
	char *p;

	m->checker = 0;
	loop_timer_clear(&m->checker_late);
	buf_fini(&m->broken);
	buf_init(&m->broken, BROKEN_MAX + 1);
	p = buf_room(&m->broken, BROKEN_MAX);
	n = read(m->checker_says, p, BROKEN_MAX);
	buf_added(&m->broken, n > 0 ? (size_t)n : 0);
	file_close(&m->checker_says);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		reload_refused(m, n > 0 ? buf_p(&m->broken) :
		    "the check of it crashed");
	} else if (prepare(m, &why) != 0) {
		reload_refused(m, why.text);
	} else {
		err_clear(&m->next_why);
		keys_load(m, m->next, cert_failed, on_loaded);
	}
}

/* The next epoch, but for what is in the certificates' files. */
static int
prepare(struct master *m, struct err *why)
{
	struct certmap map = { .row = NULL };
	struct conf *c = NULL;

	if (epoch_conf(m->next, &conf_reader_plain, &c, why) != 0)
		return -1;
	m->next_conf = c;
	if (c->nlistener == 0)
		return err_text(why, "%s: there is no listener", m->file);
	owncerts_make(m, c);
	map.pool = c->pool;
	if (conf_certs(c, m->next_list, &map, why) != 0 ||
	    epoch_map_set(m->next, &map, m->next_list, why) != 0)
		return -1;
	m->next_watched = certwatch_look(c, m->next, m->next_list);
	if (m->reloading == RELOAD_CERTS && keep_broken(m, why) != 0)
		return -1;
	if (epoch_files(m->next, c, why) != 0)
		return -1;
	return ports_open(m->next, c, m->epoch, why);
}

/* Where a new file is of no use, the one that is in force stays. */
static int
keep_broken(struct master *m, struct err *why)
{
	struct epoch_cert *c;
	unsigned n, i;
	char text[512];

	c = epoch_certs(m->next, &n);
	for (i = 0; i < n; i++) {
		if (broken_why(m, c[i].chain, text, sizeof(text)) != NULL)
			cert_kept(m, &c[i], text);
	}
	return conf_tls_files(m->next_conf, keep_file, m, why);
}

static int
keep_file(void *arg, const char *path, struct err *why)
{
	struct master *m;
	char text[512];

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (broken_why(m, path, text, sizeof(text)) == NULL)
		return 0;
	if (!said_before(m, path, text))
		log_critical("%s is broken, what was read before stays in "
		    "use: %s", path, text);
	return epoch_file_keep(m->next, m->epoch, path, why);
}

static const char *
broken_why(const struct master *m, const char *path, char *dst, size_t n)
{
	struct str rest = buf_str(&m->broken), line, file;

	while (str_split(&rest, '\n', &line)) {
		if (!str_split(&line, '\t', &file) || !str_eq_c(file, path))
			continue;
		(void)str_copy(dst, n, line);
		return dst;
	}
	return NULL;
}

/* Of the same state of that file? */
static bool
said_before(struct master *m, const char *path, const char *text)
{
	struct buf line;
	struct stat st;
	bool is;

	if (stat(path, &st) != 0)
		memset(&st, 0, sizeof(st));
	buf_init(&line, 8192);
	(void)buf_printf(&line, "\n%s\t%s\t%lld.%09ld\n", path, text,
	    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	is = memmem(buf_p(&m->said), buf_len(&m->said), buf_p(&line),
	    buf_len(&line)) != NULL;
	if (!is) {
		if (buf_len(&m->said) + buf_len(&line) > BROKEN_MAX)
			buf_reset(&m->said);
		(void)buf_add_str(&m->said, buf_str(&line));
	}
	buf_fini(&line);
	return is;
}

/* The keeper could not take it. */
static void
cert_failed(struct master *m, struct epoch_cert *c, const struct err *why)
{
	if (m->reloading == RELOAD_CERTS)
		cert_kept(m, c, why->text);
	else if (m->next_why.text[0] == '\0')
		m->next_why = *why;
}

static void
cert_kept(struct master *m, struct epoch_cert *c, const char *why)
{
	bool kept = epoch_cert_keep(m->next, c, m->epoch);

	if (said_before(m, c->chain, why))
		return;
	log_critical("certificate \"%s\" (%s) is broken, %s: %s", c->name,
	    c->use, kept ? "the one before stays in use" : "there is no other",
	    why);
}

void
reload_cert_failed(struct master *m, struct epoch_cert *c,
    const struct err *why)
{
	if (!said_before(m, c->chain, why->text))
		log_critical("certificate \"%s\" (%s) cannot be used: %s",
		    c->name, c->use, why->text);
}

static void
on_loaded(struct master *m)
{
	struct err why = ERR_INIT;

	if (m->stopping)
		reload_ended(m, "the relay is stopping");
	else if (m->next_why.text[0] != '\0')
		reload_refused(m, m->next_why.text);
	else if (epoch_seal(m->next, &why) != 0)
		reload_refused(m, why.text);
	else
		reload_vote(m);
}

void
reload_switch(struct master *m)
{
	struct conf *c = m->next_conf, *old = m->conf;
	struct err why = ERR_INIT;

	if (m->workers != 0)
		c->top.workers = m->workers;
	needs_restart(m, old, c);
	epoch_destroy(&m->epoch);
	m->epoch = m->next;
	m->next = NULL;
	certlist_destroy(&m->list);
	m->list = m->next_list;
	m->next_list = NULL;
	m->conf = c;
	m->next_conf = NULL;
	m->watched = m->next_watched;
	keys_current(m);
	if (master_log_open(m, m->conf, &why) != 0)
		log_critical("the log stays as it is: %s", why.text);
	if (m->conf->revision != 0)
		log_info("configuration %" PRIu64 " is in force, with "
		    "revision %" PRIu64, epoch_generation(m->epoch),
		    m->conf->revision);
	else
		log_info("configuration %" PRIu64 " is in force",
		    epoch_generation(m->epoch));
	reload_shadow_switched(m, old);
	conf_unref(&old);
	certs_expiry(m);
}

static void
needs_restart(struct master *m, const struct conf *old, const struct conf *new)
{
	if (strcmp(old->top.spool, new->top.spool) != 0 ||
	    strcmp(old->top.config, new->top.config) != 0 ||
	    strcmp(old->top.run, new->top.run) != 0 ||
	    strcmp(old->top.user, new->top.user) != 0 ||
	    old->top.workers != new->top.workers ||
	    old->top.open_files != new->top.open_files ||
	    old->tls.keys != new->tls.keys ||
	    old->queue.body_in_row != new->queue.body_in_row ||
	    old->queue.segment_size != new->queue.segment_size ||
	    strcmp(old->queue.store, new->queue.store) != 0 ||
	    strcmp(old->dns.records, new->dns.records) != 0 ||
	    strcmp(old->dns.trust_anchor, new->dns.trust_anchor) != 0) {
		(void)err_text(&m->warning, "spool, config, run, user, "
		    "workers, open_files, dns { }, queue { } and keys of "
		    "tls { } change at the next start only");
		log_warning("%s", m->warning.text);
	}
}

void
reload_refused(struct master *m, const char *why)
{
	log_critical("configuration %" PRIu64 " stays: %s",
	    epoch_generation(m->epoch), why);
	master_alert(m, "Critical", "reload", "a new configuration was "
	    "refused, the former stays", why);
	reload_ended(m, why);
}

void
reload_ended(struct master *m, const char *why)
{
	enum reload again = m->again;
	unsigned i;

	if (m->reloading == RELOAD_ALL)
		notify_send("READY=1");
	for (i = 0; i < m->answering; i++)
		answer(m, m->asked[i], why);
	m->nasked -= m->answering;
	memmove(m->asked, m->asked + m->answering,
	    m->nasked * sizeof(m->asked[0]));
	m->answering = 0;
	m->reloading = m->again = RELOAD_NONE;
	m->trying.revision = 0;
	m->shadow_trying.asked = false;
	epoch_destroy(&m->next);
	certlist_destroy(&m->next_list);
	conf_unref(&m->next_conf);
	if (again != RELOAD_NONE)
		reload_start(m, again);
}

static void
answer(struct master *m, struct control_req *r, const char *why)
{
	struct str rest = buf_str(&m->broken), line, file;
	json_t *taken;

	if (why != NULL) {
		control_fail(r, "%s", why);
		return;
	}
	if (m->warning.text[0] != '\0')
		control_row_json(r, json_pack("{s:s}", "warning",
		    m->warning.text));
	while (m->reloading == RELOAD_CERTS &&
	    str_split(&rest, '\n', &line)) {
		if (str_split(&line, '\t', &file))
			control_row_json(r, json_pack("{s:o}", "warning",
			    json_sprintf("%.*s is broken: %.*s",
				STR_FMT(file), STR_FMT(line))));
	}
	taken = json_pack("{s:b, s:I, s:I}", "taken", 1, "generation",
	    (json_int_t)epoch_generation(m->epoch), "revision",
	    (json_int_t)m->conf->revision);
	/* Names of files need not be UTF-8; then they are left out. */
	(void)json_object_set_new(taken, "file", json_string(m->file));
	(void)json_object_set_new(taken, "policy",
	    json_string(m->conf->policy.file));
	control_done(r, taken);
}

/*
 * A reload: the new configuration is tried in a scratch process, so that
 * nothing in it can harm the master; then every worker gets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"
#include "daemon/notify.h"
#include "daemon/ports.h"
#include "daemon/worker.h"

#define PATIENCE SECONDS(20)

static void	check_run(struct master *, int) ATTR_NORETURN;
static void	check_late(void *);
static int	switch_to(struct master *, struct conf **, struct err *);
static void	needs_restart(const struct conf *, const struct conf *);
static void	refused(struct master *, const char *);

void
reload_start(struct master *m)
{
	struct err why = ERR_INIT;
	int fds[2];

	if (m->stopping)
		return;
	if (m->checker != 0) {
		m->again = true;
		return;
	}
	clock_update();
	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    clock_now() * 1000);
	log_info("reloading %s", m->file);
	if (epoch_read(&m->next, m->file, epoch_generation(m->epoch) + 1,
		&why) != 0) {
		refused(m, why.text);
		return;
	}
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
		refused(m, strerror(errno));
		return;
	}
	m->checker_says = fds[0];
	loop_timer_init(m->loop, &m->checker_late, check_late, m);
	loop_timer_set(&m->checker_late, PATIENCE);
}

static void
check_run(struct master *m, int says)
{
	struct err why = ERR_INIT;
	struct conf *c = NULL;

	if (conf_parse(&c, m->file, epoch_text(m->next), &conf_reader_plain,
		&why) == 0 &&
	    conf_tls_try(c, &conf_reader_plain, &why) == 0)
		_exit(EXIT_SUCCESS);
	if (write(says, why.text, strlen(why.text)) < 0)
		_exit(2);
	_exit(EXIT_FAILURE);
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
	struct conf *c = NULL;
	char text[sizeof(why.text)];
	ssize_t n;

	m->checker = 0;
	loop_timer_clear(&m->checker_late);
	n = read(m->checker_says, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	file_close(&m->checker_says);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		refused(m, n > 0 ? text : "the check of it crashed");
	else if (conf_parse(&c, m->file, epoch_text(m->next),
		     &conf_reader_plain, &why) != 0 ||
	    switch_to(m, &c, &why) != 0)
		refused(m, why.text);
	conf_unref(&c);
	epoch_destroy(&m->next);
	if (m->again) {
		m->again = false;
		reload_start(m);
	}
}

/* Takes m->next and *cp if all goes well. */
static int
switch_to(struct master *m, struct conf **cp, struct err *why)
{
	int fds[IPC_FDS];
	unsigned n, i;
	json_t *msg;

	if ((*cp)->nlistener == 0)
		return err_text(why, "%s: there is no listener", m->file);
	if (master_selfsigned(m, *cp, why) != 0 ||
	    epoch_files(m->next, *cp, m->selfsigned, why) != 0 ||
	    ports_open(m->next, *cp, m->epoch, why) != 0)
		return -1;
	msg = epoch_pack(m->next, fds, &n, why);
	if (msg == NULL)
		return -1;
	if (m->workers != 0)
		(*cp)->top.workers = m->workers;
	needs_restart(m->conf, *cp);
	for (i = 0; i < m->nchild; i++) {
		if (m->child[i].pid != 0 &&
		    ipc_send(m->child[i].ipc, json_incref(msg), fds, n,
			why) != 0) {
			/* Its successor has it by birth. */
			log_warning("worker %u: %s", i, why->text);
			(void)kill(m->child[i].pid, SIGTERM);
		}
	}
	json_decref(msg);
	epoch_destroy(&m->epoch);
	m->epoch = m->next;
	m->next = NULL;
	conf_unref(&m->conf);
	m->conf = *cp;
	*cp = NULL;
	master_log_files(m, m->conf);
	worker_log_open(m->conf, true);
	log_info("configuration %" PRIu64 " is in force",
	    epoch_generation(m->epoch));
	notify_send("READY=1");
	return 0;
}

static void
needs_restart(const struct conf *old, const struct conf *new)
{
	if (strcmp(old->top.spool, new->top.spool) != 0 ||
	    strcmp(old->top.run, new->top.run) != 0 ||
	    strcmp(old->top.user, new->top.user) != 0 ||
	    old->top.workers != new->top.workers ||
	    old->top.open_files != new->top.open_files ||
	    old->queue.body_in_row != new->queue.body_in_row ||
	    old->queue.segment_size != new->queue.segment_size ||
	    strcmp(old->dns.records, new->dns.records) != 0 ||
	    strcmp(old->dns.trust_anchor, new->dns.trust_anchor) != 0)
		log_warning("spool, run, user, workers, open_files, dns { } "
		    "and queue { } change at the next start only");
}

static void
refused(struct master *m, const char *why)
{
	log_critical("configuration %" PRIu64 " stays: %s",
	    epoch_generation(m->epoch), why);
	epoch_destroy(&m->next);
	notify_send("READY=1");
}

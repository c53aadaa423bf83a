/*
 * The lister's own process. From the first plugin that is loaded from a file on
 * it is a stranger to who started it.
 */
#include "daemon/lister_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/cert_store.h>
#include <postern/log_sink.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "base/rand.h"
#include "base/sys.h"
#include "daemon/logs.h"
#include "daemon/privs.h"
#include "host/hooks.h"
#include "net/dns.h"

#define CHILD_MAGIC 0x115e4002u

/* The argument of the plugin that is asked. */
struct listing {
	struct pst_cert_list pub; /* first: the plugin's pointer is ours */
	unsigned magic;
	int fd;
};

struct child {
	int fd;
	pid_t parent;
	struct conf *conf;
	struct epoch *files; /* what settings of plugins name */
	struct loop *loop;
	struct dns *dns;
	struct host *host;
	bool answered;
	struct op_answer answer;
	char place[512];
};

static void	begin(struct child *);
static void	ask_all(struct child *, bool);
static void	give_up_rights(struct child *);
static void	host_begin(struct child *, bool);
static void	ask_block(struct child *, unsigned);
static void	ask(struct child *, unsigned, struct instance *);
static void	answered(void *, const struct op_answer *);
static int	list_add(struct pst_cert_list *, const struct pst_cert *);
static int	list_watch(struct pst_cert_list *, const char *);
static int	text_file(const char *);
static void	on_loads(void *, const char *);
static bool	on_log(void *, const struct pst_log_record *);
static bool	on_flush(void *);
static void	say(int, enum lister_say, const char *const *, unsigned,
		    const int *, unsigned);
static void	say_text(int, enum lister_say, const char *);

void
lister_child(const struct epoch *e, int fd, pid_t parent)
{
	struct child c = { .fd = fd, .parent = parent };
	struct err why = ERR_INIT;

	begin(&c);
	/* Who looks at the file next says what is wrong with it. */
	if (epoch_conf(e, &conf_reader_none, &c.conf, &why) == 0 &&
	    epoch_again(&c.files, e, 1, &why) == 0) {
		if (epoch_plugin_files(c.files, c.conf, &why) != 0)
			say_text(fd, LISTER_FAILS, why.text);
		host_begin(&c, false);
		ask_all(&c, true);
		give_up_rights(&c);
		host_begin(&c, true);
		ask_all(&c, false);
	}
	say_text(fd, LISTER_DONE, "");
	/* No destructor of theirs runs. */
	_exit(EXIT_SUCCESS);
}

static void
begin(struct child *c)
{
	struct log_sink sink = { .emit = on_log, .flush = on_flush,
		.reopen = on_flush, .arg = &c->fd };
	struct log_conf lc = { .level = LOG_LV_INFO, .sync = true };
	sigset_t none;

	(void)prctl(PR_SET_NAME, "postern-lister");
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != c->parent)
		_exit(EXIT_FAILURE);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	rand_forked();
	logs_forked();
	/* Keys of other certificates, and the ways to other processes. */
	privs_close_others(&c->fd, 1);
	log_open(&lc);
	log_sinks_set(&sink, 1);
}

/* A key may be in its memory: nobody looks at it, nothing is left of it. */
static void
give_up_rights(struct child *c)
{
	struct err why = ERR_INIT;
	struct privs privs;

	if (privs_find(&privs, c->conf->top.user, &why) == 0 &&
	    privs_drop(&privs, c->parent, &why) == 0) {
		(void)prctl(PR_SET_DUMPABLE, 0);
		return;
	}
	say_text(c->fd, LISTER_FAILS, why.text);
	say_text(c->fd, LISTER_DONE, "");
	_exit(EXIT_FAILURE);
}

/* Names are resolved for plugins from files only. */
static void
host_begin(struct child *c, bool dns)
{
	const struct conf *conf = c->conf;
	struct dns_conf d = { .servers = conf->dns.servers,
		.timeout = conf->dns.timeout };
	struct host_world world = { .hostname = conf->top.hostname,
		.loads = on_loads, .loads_arg = c };
	struct err why = ERR_INIT;

	c->loop = world.loop = loop_new();
	if (conf->dns.records[0] != '\0')
		d.records = conf->dns.records;
	if (conf->dns.trust_anchor[0] != '\0')
		d.trust_anchor = conf->dns.trust_anchor;
	if (dns && dns_new(&c->dns, c->loop, &d, &why) != 0)
		log_warning("%s", why.text);
	world.dns = c->dns;
	c->host = host_new(&world);
}

static void
ask_all(struct child *c, bool builtin)
{
	unsigned i;

	for (i = 0; i < c->conf->nplugin; i++) {
		if (host_has_builtin(c->conf->plugin[i].plugin) == builtin)
			ask_block(c, i);
	}
}

/* The configuration as if this were its only plugin. */
static void
ask_block(struct child *c, unsigned n)
{
	static const char *const none[] = { NULL };
	struct conf one = *c->conf;
	struct err why = ERR_INIT;
	struct host_gen *g;
	struct instance *i;

	one.plugin = &c->conf->plugin[n];
	one.nplugin = 1;
	one.order = (struct conf_order){
#define PARAM_ORDER(name, type, def, range, help) .name = none,
#include "tbl/params.h"
	};
	if (host_load(c->host, &one, epoch_reader(c->files), &g, &why) != 0) {
		say_text(c->fd, LISTER_FAILS, why.text);
		return;
	}
	i = op_next(g, PST_CERT_STORE_LIST, NULL);
	if (i != NULL)
		ask(c, n, i);
}

static void
ask(struct child *c, unsigned n, struct instance *i)
{
	struct listing l = { .pub = { .size = sizeof(l.pub),
		.add = list_add, .watch = list_watch },
		.magic = CHILD_MAGIC, .fd = c->fd };
	const char *f[3] = { c->place, NULL, instance_name(i) };
	struct op_run *run;
	char at[24];

	(void)snprintf(at, sizeof(at), "%u", n);
	f[1] = at;
	say(c->fd, LISTER_ASKS, f, 3, NULL, 0);
	c->answered = op_ask(i, PST_CERT_STORE_LIST, NULL, &l, &c->answer,
	    answered, c, &run);
	while (!c->answered)
		loop_once(c->loop, true);
	log_flush();
	if (c->answer.verdict == PST_CONTINUE ||
	    c->answer.verdict == PST_ACCEPT)
		say_text(c->fd, LISTER_TOLD, "");
	else
		say_text(c->fd, LISTER_FAILS, c->answer.reply.text);
}

static void
answered(void *arg, const struct op_answer *a)
{
	struct child *c = arg;

	c->answer = *a;
	c->answered = true;
}

static int
list_add(struct pst_cert_list *list, const struct pst_cert *cert)
{
	const char *f[3] = { "", "", "" };
	struct listing *l;
	int fds[2], n = 0;

	OBJ_CAST(l, (void *)list, CHILD_MAGIC);
	if (cert->size < offsetof(struct pst_cert, key) + sizeof(cert->key) ||
	    cert->name == NULL ||
	    (cert->chain_file == NULL) == (cert->chain == NULL) ||
	    (cert->key_file == NULL) == (cert->key == NULL)) {
		say_text(l->fd, LISTER_FAILS, "a certificate has a name, and a "
		    "file or a text for chain and key each");
		return -1;
	}
	f[0] = cert->name;
	if (cert->chain_file != NULL)
		f[1] = cert->chain_file;
	else if ((fds[n] = text_file(cert->chain)) != -1)
		n++;
	if (cert->key_file != NULL)
		f[2] = cert->key_file;
	else if ((fds[n] = text_file(cert->key)) != -1)
		n++;
	say(l->fd, LISTER_CERT, f, 3, fds, (unsigned)n);
	while (n > 0)
		(void)close(fds[--n]);
	return 0;
}

static int
list_watch(struct pst_cert_list *list, const char *path)
{
	struct listing *l;

	OBJ_CAST(l, (void *)list, CHILD_MAGIC);
	say_text(l->fd, LISTER_WATCH, path);
	return path[0] == '/' ? 0 : -1;
}

/* Nobody has a name for it, and nobody writes it again. */
static int
text_file(const char *text)
{
	int fd = memfd_create("postern", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 ||
	    sys_pwrite_all(fd, text, strlen(text), 0) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW |
		F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
		log_warning("a file in memory: %s", strerror(errno));
		file_close(&fd);
	}
	return fd;
}

static void
on_loads(void *arg, const char *what)
{
	struct child *c = arg;

	(void)str_copy(c->place, sizeof(c->place), str_c(what));
	say_text(c->fd, LISTER_LOADS, what);
}

static bool
on_log(void *arg, const struct pst_log_record *r)
{
	const int *fd = arg;
	char level[16], line[4096];
	const char *f[2] = { level, line };

	(void)snprintf(level, sizeof(level), "%d", (int)r->level);
	(void)str_copy(line, sizeof(line), str_n(r->text.p, r->text.n));
	say(*fd, LISTER_LOGS, f, 2, NULL, 0);
	return true;
}

/* Nothing is kept. */
static bool
on_flush(void *arg)
{
	(void)arg;
	return true;
}

static void
say_text(int fd, enum lister_say type, const char *text)
{
	say(fd, type, &text, 1, NULL, 0);
}

/* Too long: cut, which who reads it will not take for a path. */
static void
say(int fd, enum lister_say type, const char *const *f, unsigned n,
    const int *fds, unsigned nfd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	char msg[LISTER_MSG_MAX];
	struct iovec iov = { .iov_base = msg, .iov_len = 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	size_t len;
	unsigned i;

	msg[0] = (char)type;
	for (i = 0; i < n; i++) {
		len = strlen(f[i]) + 1;
		if (len > sizeof(msg) - iov.iov_len)
			_exit(EXIT_FAILURE);
		memcpy(msg + iov.iov_len, f[i], len);
		iov.iov_len += len;
	}
	if (nfd > 0) {
		memset(&control, 0, sizeof(control));
		h.msg_control = control.room;
		h.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfd * sizeof(int));
	}
	while (sendmsg(fd, &h, MSG_NOSIGNAL) == -1) {
		if (errno != EINTR)
			_exit(EXIT_FAILURE);
	}
}

#include "daemon/ports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "net/sock.h"

#define ACTIVATED_FIRST 3 /* SD_LISTEN_FDS_START */

static int	port_open(struct epoch *, const struct conf_listener *,
		    const struct sock_addr *, struct epoch *, struct err *);
static int	activated(const char *, const char *);
static unsigned	activated_count(void);
static bool	activated_named(unsigned, const char *);
static int	keep(int);

int
ports_open(struct epoch *e, const struct conf *conf, struct epoch *old,
    struct err *why)
{
	const struct conf_listener *l;
	unsigned i, k;

	for (i = 0; i < conf->nlistener; i++) {
		l = &conf->listener[i];
		for (k = 0; k < l->address.n; k++) {
			if (port_open(e, l, &l->address.v[k], old, why) != 0)
				return err_prefix(why, "listener \"%s\": ",
				    l->name);
		}
	}
	return 0;
}

static int
port_open(struct epoch *e, const struct conf_listener *l,
    const struct sock_addr *a, struct epoch *old, struct err *why)
{
	const struct epoch_port *p;
	char text[SOCK_TEXT_MAX];
	unsigned n, i;
	int fd = -1;

	(void)sock_addr_text(a, text, sizeof(text));
	p = epoch_ports(e, &n);
	for (i = 0; i < n; i++) {
		if (strcmp(p[i].address, text) == 0)
			return err_text(why, "%s is there already in "
			    "listener \"%s\"", text, p[i].listener);
	}
	if (n >= 200)
		return err_text(why, "more than 200 addresses");
	if (old != NULL) {
		/* A copy: the old epoch stays whole if we fail. */
		p = epoch_ports(old, &n);
		for (i = 0; i < n && fd == -1; i++) {
			if (strcmp(p[i].address, text) == 0)
				fd = keep(p[i].fd);
		}
	}
	if (fd == -1)
		fd = activated(l->name, text);
	if (fd == -1 && sock_listen(a, (int)l->listen_backlog, &fd, why) != 0)
		return -1;
	epoch_port_add(e, l->name, text, fd);
	return 0;
}

static int
keep(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, ACTIVATED_FIRST);
}

/* The socket of that address; of those named like the listener if any are. */
static int
activated(const char *listener, const char *address)
{
	unsigned n = activated_count(), i;
	struct sock_addr a;
	char text[SOCK_TEXT_MAX];
	bool named = false;

	for (i = 0; i < n; i++)
		named = named || activated_named(i, listener);
	for (i = 0; i < n; i++) {
		int fd = ACTIVATED_FIRST + (int)i;

		if (named && !activated_named(i, listener))
			continue;
		if (sock_local(fd, &a) == 0 &&
		    strcmp(sock_addr_text(&a, text, sizeof(text)), address) ==
			0) {
			(void)file_nonblock(fd, NULL);
			return keep(fd);
		}
	}
	return -1;
}

static unsigned
activated_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n, who;

	if (pid == NULL || fds == NULL ||
	    num_u64(str_c(pid), INT32_MAX, &who) != 0 ||
	    who != (uint64_t)getpid() ||
	    num_u64(str_c(fds), 200, &n) != 0)
		return 0;
	return (unsigned)n;
}

/* LISTEN_FDNAMES has one name for each, with colons between them. */
static bool
activated_named(unsigned i, const char *name)
{
	struct str rest = str_c(getenv("LISTEN_FDNAMES")), piece;

	while (str_split(&rest, ':', &piece)) {
		if (i-- == 0)
			return str_eq_c(piece, name);
	}
	return false;
}

#include "daemon/inbound_priv.h"

#include <unistd.h>

#include "base/mem.h"
#include "base/obj.h"

static void	port_accept(void *, int, const struct sock_addr *);
static void	port_free(struct port *);

struct inbound *
inbound_new(const struct inbound_world *w)
{
	struct inbound *in;

	OBJ_NEW(in, INBOUND_MAGIC);
	in->w = *w;
	in->space = UINT64_MAX;
	LIST_INIT(&in->ports);
	LIST_INIT(&in->sessions);
	return in;
}

void
inbound_listen(struct inbound *in, struct conf *conf,
    const struct epoch *epoch)
{
	const struct epoch_port *v;
	struct conf *old = in->conf;
	unsigned n, i, k;
	struct port *p;

	OBJ_CHECK(in, INBOUND_MAGIC);
	while ((p = LIST_FIRST(&in->ports)) != NULL)
		port_free(p);
	in->conf = conf_ref(conf);
	conf_unref(&old);
	v = epoch_ports(epoch, &n);
	for (i = 0; i < n; i++) {
		for (k = 0; k < conf->nlistener; k++) {
			if (strcmp(conf->listener[k].name, v[i].listener) == 0)
				break;
		}
		if (k == conf->nlistener)
			continue;
		OBJ_NEW(p, PORT_MAGIC);
		p->in = in;
		p->conf = conf_ref(conf);
		p->l = &conf->listener[k];
		p->listen = listen_start(in->w.loop, v[i].fd, port_accept, p);
		LIST_INSERT_HEAD(&in->ports, p, entry);
	}
}

static void
port_free(struct port *p)
{
	LIST_REMOVE(p, entry);
	listen_stop(&p->listen);
	conf_unref(&p->conf);
	OBJ_FREE(p);
}

static void
port_accept(void *arg, int fd, const struct sock_addr *peer)
{
	struct port *p;

	OBJ_CAST(p, arg, PORT_MAGIC);
	session_new(p, fd, peer);
}

void
inbound_space_set(struct inbound *in, uint64_t octets)
{
	in->space = octets;
}

void
inbound_stop(struct inbound *in, loop_fn *done, void *arg)
{
	struct session *s, *next;
	struct port *p;

	OBJ_CHECK(in, INBOUND_MAGIC);
	in->stopping = true;
	in->done = done;
	in->done_arg = arg;
	while ((p = LIST_FIRST(&in->ports)) != NULL)
		port_free(p);
	LIST_FOREACH_SAFE(s, &in->sessions, entry, next) {
		if (s->smtpd != NULL)
			smtpd_stop(s->smtpd);
		else if (s->stream != NULL)
			session_free(s);
	}
	session_checked_end(in);
}

void
session_checked_end(struct inbound *in)
{
	loop_fn *done = in->done;

	if (!in->stopping || !LIST_EMPTY(&in->sessions) || done == NULL)
		return;
	in->done = NULL;
	loop_defer(in->w.loop, done, in->done_arg);
}

void
inbound_kill(struct inbound *in)
{
	struct session *s, *next;

	OBJ_CHECK(in, INBOUND_MAGIC);
	LIST_FOREACH_SAFE(s, &in->sessions, entry, next) {
		if (s->smtpd != NULL)
			smtpd_kill(s->smtpd);
		else if (s->stream != NULL)
			session_free(s);
	}
}

void
inbound_destroy(struct inbound **inp)
{
	struct inbound *in = *inp;
	struct session *s;
	struct port *p;

	if (in == NULL)
		return;
	OBJ_CHECK(in, INBOUND_MAGIC);
	*inp = NULL;
	in->done = NULL;
	inbound_kill(in);
	while ((p = LIST_FIRST(&in->ports)) != NULL)
		port_free(p);
	while ((s = LIST_FIRST(&in->sessions)) != NULL) {
		s->busy = 0;
		session_free(s);
	}
	conf_unref(&in->conf);
	OBJ_FREE(in);
}

void
inbound_stats(const struct inbound *in, struct inbound_stats *st)
{
	*st = in->stats;
}

#include "relay/probe.h"

#include "base/codec.h"
#include "base/obj.h"
#include "relay/probe_priv.h"

static void on_hosts(void *arg, const struct mx_result *r);
static void add_host(struct probe *p, const struct mx_host *m,
    const struct sock_addr *a);
static void go_on(struct probe *p);
static void on_timer(void *arg);

struct probe *
probe_new(const struct probe_conf *conf, const char *target,
    const char *domain, const char *const *hosts, probe_fn *fn, void *arg)
{
	struct probe *p;

	OBJ_NEW(p, PROBE_MAGIC);
	p->conf = *conf;
	p->fn = fn;
	p->arg = arg;
	p->pool = pool_new(0);
	p->report.target = pool_strdup(p->pool, target);
	p->report.domain = pool_strdup(p->pool, domain);
	p->report.route = hosts != NULL;
	p->report.want = probe_want_text(&conf->want, p->pool);
	loop_timer_init(conf->loop, &p->timer, on_timer, p);
	if (hosts != NULL)
		p->query = mx_hosts(conf->dns, p->pool, hosts, conf->port,
		    conf->ip, on_hosts, p);
	else
		p->query = mx_lookup(conf->dns, p->pool, p->report.domain,
		    conf->port, conf->ip, on_hosts, p);
	return p;
}

void
probe_destroy(struct probe **pp)
{
	struct probe *p = *pp;
	unsigned i;

	if (p == NULL)
		return;
	OBJ_CHECK(p, PROBE_MAGIC);
	*pp = NULL;
	mx_cancel(&p->query);
	loop_timer_clear(&p->timer);
	for (i = 0; i < p->report.nhost; i++)
		probe_try_stop(&p->try[i]);
	pool_destroy(&p->pool);
	OBJ_FREE(p);
}

static void
on_hosts(void *arg, const struct mx_result *r)
{
	unsigned i, k, n = 0;
	struct probe *p;

	OBJ_CAST(p, arg, PROBE_MAGIC);
	p->query = NULL;
	p->report.status = r->status;
	p->report.why = r->status == MX_OK ? NULL :
	    probe_clean(p->pool, str_c(r->why));
	for (i = 0; i < r->nhost; i++)
		n += r->host[i].naddr > 0 ? r->host[i].naddr : 1;
	p->report.host = pool_alloc(p->pool, (n + 1) *
	    sizeof(*p->report.host));
	p->try = pool_alloc(p->pool, (n + 1) * sizeof(*p->try));
	for (i = 0; i < r->nhost; i++) {
		if (r->host[i].naddr == 0)
			add_host(p, &r->host[i], NULL);
		for (k = 0; k < r->host[i].naddr; k++)
			add_host(p, &r->host[i], &r->host[i].addr[k]);
	}
	loop_timer_set(&p->timer, 0);
}

/* a NULL: its addresses could not be found. */
static void
add_host(struct probe *p, const struct mx_host *m, const struct sock_addr *a)
{
	struct probe_host *h = &p->report.host[p->report.nhost];
	struct probe_try *t = &p->try[p->report.nhost++];
	char ip[SOCK_IP_MAX];

	OBJ_INIT(t, PROBE_TRY_MAGIC);
	t->probe = p;
	t->h = h;
	h->name = probe_clean(p->pool, str_c(m->name));
	h->ip = h->local = h->failure = "";
	h->version = h->cipher = h->group = "";
	h->port = p->conf.port;
	h->pref = m->pref;
	h->route = p->report.route;
	h->secure = m->secure;
	h->line = pool_alloc(p->pool, PROBE_LINES_MAX * sizeof(*h->line));
	if (a == NULL) {
		h->failure = "its addresses cannot be found now";
		h->stage[PROBE_ANSWER].state = PROBE_FAIL;
		return;
	}
	t->addr = *a;
	h->port = sock_addr_port(a);
	h->ip = pool_strdup(p->pool, sock_addr_ip_text(a, ip, sizeof(ip)));
}

static void
on_timer(void *arg)
{
	struct probe *p;

	OBJ_CAST(p, arg, PROBE_MAGIC);
	go_on(p);
}

static void
go_on(struct probe *p)
{
	struct probe_try *t;
	unsigned i;

	while (p->next < p->report.nhost &&
	    (p->running == 0 || p->running < p->conf.parallel)) {
		t = &p->try[p->next++];
		if (t->h->ip[0] == '\0')
			continue;
		p->running++;
		probe_try_start(t);
	}
	if (p->running > 0)
		return;
	for (i = 0; i < p->report.nhost; i++)
		probe_judge(&p->report.host[i], p->conf.force,
		    p->conf.force_name, p->pool);
	p->fn(p->arg, &p->report);
}

void
probe_try_ended(struct probe_try *t)
{
	t->probe->running--;
	loop_timer_set(&t->probe->timer, 0);
}

const char *
probe_clean(struct pool *pool, struct str text)
{
	const char *copy, *sep = "";
	struct str line;
	struct buf b;

	buf_init(&b, 4 * (size_t)PROBE_TEXT_MAX + 16);
	if (text.n > PROBE_TEXT_MAX)
		text.n = PROBE_TEXT_MAX;
	while (str_split(&text, '\n', &line)) {
		(void)buf_add_c(&b, sep);
		(void)log_clean(&b, line, PROBE_TEXT_MAX, true);
		sep = "\n";
	}
	copy = pool_strndup(pool, buf_p(&b), buf_len(&b));
	buf_fini(&b);
	return copy;
}

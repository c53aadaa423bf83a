/*
 * From settings to what the layers take: smtpd_conf, relay_conf, profiles.
 */
#include "policy/conf_priv.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "base/sys.h"
#include "mail/addr.h"
#include "net/sock.h"
#include "relay/route.h"

static const char *default_hostname(struct pool *);
static int	build_names(struct conf *, struct err *);
static int	instance_there(const struct conf *, enum conf_scope_id,
		    const char *, const char *, struct err *);
static int	build_addresses(const struct conf *, struct err *);
static int	bind_valid(const char *, int, struct err *);
static int	build_profiles(struct conf *, struct err *);
static int	build_alternate(struct conf *, const struct conf_profile *,
		    struct queue_profile *, struct err *);
static int	build_routes(struct conf *, const struct conf_reader *,
		    struct err *);
static int	build_route(struct conf *, const struct conf_route *,
		    struct relay_route *, const struct conf_reader *,
		    const char **, struct err *);
static void	build_relay(struct conf *);
static int	build_permissions(struct conf *, const struct conf_reader *,
		    struct err *);
static int	read_users(struct conf *, const struct conf_reader *,
		    struct err *);

int
conf_build(struct conf *c, const struct conf_reader *reader, struct err *why)
{
	if (build_names(c, why) != 0 ||
	    instance_there(c, CONF_SCOPE_QUEUE, "store", c->queue.store,
		why) != 0 ||
	    instance_there(c, CONF_SCOPE_RELAY, "user_table",
		c->relay.user_table, why) != 0 ||
	    conf_build_alerts(c, why) != 0 ||
	    build_addresses(c, why) != 0 || build_profiles(c, why) != 0)
		return -1;
	build_relay(c);
	if (build_routes(c, reader, why) != 0 ||
	    conf_build_destinations(c, reader, why) != 0 ||
	    build_permissions(c, reader, why) != 0 ||
	    conf_tls_words(c, NULL, NULL, why) != 0)
		return -1;
	if (conf_build_rat(c, why) != 0)
		return -1;
	return conf_build_hat(c, reader, why);
}

static int
build_names(struct conf *c, struct err *why)
{
	if (c->top.hostname[0] == '\0')
		c->top.hostname = default_hostname(c->pool);
	if (!domain_valid(str_c(c->top.hostname), false)) {
		(void)err_text(why, "hostname \"%s\" is not a host name",
		    c->top.hostname);
		return conf_blame(c, CONF_SCOPE_TOP, "", "hostname", why);
	}
	if (c->top.postmaster[0] == '\0')
		c->top.postmaster = pool_printf(c->pool, "postmaster@%s",
		    c->top.hostname);
	conf_over_default(c);
	if (c->tls.store[0] == '\0')
		c->tls.store = pool_printf(c->pool, "%s/tls", c->top.spool);
	if (c->top.plugin_dirs[0] == NULL) {
		const char **v = pool_alloc(c->pool, 2 * sizeof(*v));

		v[0] = POSTERN_PLUGINDIR;
		c->top.plugin_dirs = v;
	}
	if (c->top.workers == 0) {
		long n = sysconf(_SC_NPROCESSORS_ONLN);

		c->top.workers = n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
	}
	return 0;
}

/* What the plugin can do is known when it is loaded. */
static int
instance_there(const struct conf *c, enum conf_scope_id id, const char *key,
    const char *name, struct err *why)
{
	unsigned i;

	for (i = 0; i < c->nplugin; i++) {
		if (strcmp(c->plugin[i].name, name) == 0)
			return 0;
	}
	if (name[0] == '\0')
		return 0;
	(void)err_text(why, "no plugin instance \"%.60s\"", name);
	return conf_blame(c, id, "", key, why);
}

/* Addresses that nothing else looks at before they are used. */
static int
build_addresses(const struct conf *c, struct err *why)
{
	const char *const *p;
	struct sock_addr a;
	struct err bad;
	struct addr mail;
	uint64_t port;
	struct str s;
	size_t at;

	for (p = c->dns.servers; *p != NULL; p++) {
		s = str_c(*p);
		at = str_find(s, '@');
		if (sock_addr_ip(str_n(s.p, at), 53, &a, &bad) != 0 ||
		    (at < s.n && num_u64(str_n(s.p + at + 1, s.n - at - 1),
		    65535, &port) != 0)) {
			(void)err_text(why, "\"%s\" is no address or "
			    "address@port", *p);
			return conf_blame(c, CONF_SCOPE_DNS, "", "servers",
			    why);
		}
	}
	if (addr_parse(c->pool, str_c(c->top.postmaster), 0, &mail,
	    &bad) != 0) {
		(void)err_text(why, "postmaster \"%s\" is no mail address",
		    c->top.postmaster);
		return conf_blame(c, CONF_SCOPE_TOP, "", "postmaster", why);
	}
	if (bind_valid(c->delivery.bind_v4, AF_INET, why) != 0)
		return conf_blame(c, CONF_SCOPE_DELIVERY, "", "bind_v4", why);
	if (bind_valid(c->delivery.bind_v6, AF_INET6, why) != 0)
		return conf_blame(c, CONF_SCOPE_DELIVERY, "", "bind_v6", why);
	return 0;
}

static int
bind_valid(const char *ip, int family, struct err *why)
{
	struct sock_addr a;
	struct err bad;

	if (ip[0] == '\0')
		return 0;
	if (sock_addr_ip(str_c(ip), 0, &a, &bad) != 0 ||
	    a.sa.sa_family != family)
		return err_text(why, "\"%s\" is no IPv%c address", ip,
		    family == AF_INET ? '4' : '6');
	return 0;
}

/* The name with a dot for this host in /etc/hosts; no lookups at start. */
static const char *
default_hostname(struct pool *pool)
{
	struct str rest, line, word, found = STR_NULL;
	char name[256] = "";
	struct buf hosts;

	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
		return "localhost";
	if (strchr(name, '.') != NULL)
		return pool_strdup(pool, name);
	buf_init(&hosts, CONF_MAX);
	if (file_read(&hosts, "/etc/hosts", NULL) == 0) {
		rest = buf_str(&hosts);
		while (found.n == 0 && str_split(&rest, '\n', &line)) {
			struct str first = STR_NULL;

			line.n = str_find(line, '#');
			while (str_word(&line, &word)) {
				if (first.n == 0 && str_find(word, '.') <
				    word.n && str_find(word, ':') == word.n &&
				    !ch_digit(word.p[word.n - 1]))
					first = word;
				if (str_ieq_c(word, name))
					found = first;
			}
		}
	}
	if (found.n > 0)
		(void)str_copy(name, sizeof(name), found);
	buf_fini(&hosts);
	return pool_strdup(pool, name);
}

/* It is a word of a next hop's key. */
static bool
profile_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < RCPT_PROFILE_MAX &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789._-") == n;
}

/* There is always a profile "default". */
static int
build_profiles(struct conf *c, struct err *why)
{
	const struct conf_scope *scope = &conf_scopes[CONF_SCOPE_PROFILE];
	struct queue_profile *v;
	struct conf_profile *p;
	unsigned i;
	size_t k;

	for (i = 0; i < c->nprofile; i++) {
		if (strcmp(c->profile[i].name, "default") == 0)
			break;
	}
	if (i == c->nprofile) {
		p = &c->profile[c->nprofile++];
		p->name = "default";
		for (k = 0; k < scope->nparam; k++)
			conf_value_default(c->pool, &scope->param[k], p);
	}
	v = pool_alloc(c->pool, (c->nprofile + 1) * sizeof(*v));
	for (i = 0; i < c->nprofile; i++) {
		p = &c->profile[i];
		if (!profile_name_valid(p->name)) {
			(void)err_text(why, "a name is of up to %d letters, "
			    "digits and ._-", RCPT_PROFILE_MAX - 1);
			return conf_blame(c, CONF_SCOPE_PROFILE, p->name,
			    NULL, why);
		}
		if (p->first_retry > p->max_retry) {
			(void)err_text(why, "first_retry is longer than "
			    "max_retry");
			return conf_blame(c, CONF_SCOPE_PROFILE, p->name,
			    "first_retry", why);
		}
		v[i] = (struct queue_profile){ .name = p->name,
			.first_retry = p->first_retry,
			.max_retry = p->max_retry,
			.lifetime = p->lifetime,
			.max_retries = p->max_retries,
			.jitter = p->jitter,
			.warn = p->warn,
			.warn_after = p->warn_after,
			.warn_count = p->warn_count,
			.warn_interval = p->warn_interval,
			.quiet = !p->send_bounces,
			.plain = p->format == 1 };
		if (p->alternate[0] != '\0' &&
		    build_alternate(c, p, &v[i], why) != 0)
			return -1;
	}
	c->queue_profile = v;
	c->relay_conf.profile = conf_profile_find(c, "default");
	c->relay_conf.profiles = v;
	c->relay_conf.nprofiles = c->nprofile;
	for (i = 0; i < c->nlistener; i++) {
		const char *name = c->listener[i].bounce_profile;

		if (name[0] != '\0' && conf_profile_find(c, name) == NULL) {
			(void)err_text(why, "no bounce_profile \"%s\"", name);
			return conf_blame(c, CONF_SCOPE_LISTENER,
			    c->listener[i].name, "bounce_profile", why);
		}
	}
	return 0;
}

static int
build_alternate(struct conf *c, const struct conf_profile *p,
    struct queue_profile *v, struct err *why)
{
	struct addr *a = POOL_NEW(c->pool, struct addr);
	struct err bad = ERR_INIT;

	if (addr_parse(c->pool, str_c(p->alternate), 0, a, &bad) != 0) {
		(void)err_text(why, "alternate: \"%s\" is no mail address",
		    p->alternate);
		return conf_blame(c, CONF_SCOPE_PROFILE, p->name,
		    "alternate", why);
	}
	v->alternate = a;
	return 0;
}

const struct queue_profile *
conf_profile_find(const struct conf *c, const char *name)
{
	unsigned i;

	for (i = 0; i < c->nprofile; i++) {
		if (strcmp(c->queue_profile[i].name, name) == 0)
			return &c->queue_profile[i];
	}
	return NULL;
}

static void
build_relay(struct conf *c)
{
	const struct conf_delivery *d = &c->delivery;
	struct relay_conf *r = &c->relay_conf;

	r->hostname = c->top.hostname;
	r->postmaster = c->top.postmaster;
	r->port = (uint16_t)d->port;
	r->ip = (enum mx_ip)d->ip;
	r->bind_v4 = d->bind_v4[0] != '\0' ? d->bind_v4 : NULL;
	r->bind_v6 = d->bind_v6[0] != '\0' ? d->bind_v6 : NULL;
	r->concurrency = d->concurrency;
	r->total = d->connections;
	r->max_messages = d->max_messages;
	r->max_rcpt = d->max_recipients;
	r->rules.limit = (enum relay_limit)(d->limit_by + 1);
	r->rules.recipients = d->recipients;
	r->rules.minutes = d->recipient_minutes;
	r->rules.tag = (enum relay_tag)(d->bounce_verification + 1);
	r->idle = d->idle;
	r->connect_timeout = d->connect_timeout;
	r->timeout_scale = (double)d->timeouts / 100;
	r->host_backoff = d->host_backoff;
	if (r->host_backoff == 0) {
		r->host_backoff = r->profile->first_retry;
		if (r->host_backoff > SECONDS(30))
			r->host_backoff = SECONDS(30);
	}
	r->host_backoff_max = d->host_backoff_max;
	if (r->host_backoff_max > r->profile->max_retry)
		r->host_backoff_max = r->profile->max_retry;
	if (r->host_backoff_max < r->host_backoff)
		r->host_backoff_max = r->host_backoff;
	r->return_bound = d->max_bounce_copy;
	r->broken_tls = d->broken_tls;
	r->tls_verbose = c->tls.verbose;
	r->tls.level = TLSWANT_OPPORTUNISTIC;
	if (d->tls != NULL)
		r->tls = *d->tls;
}

static int
build_routes(struct conf *c, const struct conf_reader *reader,
    struct err *why)
{
	struct relay_route *v;
	const char *key;
	unsigned i;

	v = pool_alloc(c->pool, (c->nroute + 1) * sizeof(*v));
	for (i = 0; i < c->nroute; i++) {
		key = NULL;
		if (build_route(c, &c->route[i], &v[i], reader, &key,
			why) != 0)
			return conf_blame(c, CONF_SCOPE_ROUTE,
			    c->route[i].name, key, why);
	}
	c->relay_conf.route = v;
	c->relay_conf.nroute = c->nroute;
	return 0;
}

static int
build_route(struct conf *c, const struct conf_route *r, struct relay_route *v,
    const struct conf_reader *reader, const char **key_r, struct err *why)
{
	struct str name = str_c(r->name), rest, line;
	const char *const *p;
	struct buf b;
	int ret = 0;

	if (name.p[0] == '.')
		name = str_n(name.p + 1, name.n - 1);
	if (!str_eq_c(name, "*") && !domain_valid(name, true) &&
	    name.p[0] != '[')
		return err_text(why, "this is no domain");
	*key_r = "hosts";
	if (r->hosts[0] == NULL)
		return err_text(why, "hosts is empty");
	for (p = r->hosts; *p != NULL; p++) {
		if (!route_host_valid(str_c(*p)))
			return err_text(why, "\"%s\" is no host:port, "
			    "[address]:port or mx:domain", *p);
	}
	v->domain = r->name;
	v->hosts = r->hosts;
	v->implicit_tls = r->implicit_tls;
	v->tls = r->tls;
	v->ip = r->ip;
	v->concurrency = r->concurrency;
	v->max_messages = r->max_messages;
	v->max_rcpt = r->max_recipients;
	if (r->bounce_profile[0] != '\0') {
		*key_r = "bounce_profile";
		v->profile = conf_profile_find(c, r->bounce_profile);
		if (v->profile == NULL)
			return err_text(why, "no bounce_profile \"%s\"",
			    r->bounce_profile);
	}
	if (r->auth_user[0] == '\0')
		return 0;
	*key_r = "auth_user";
	if (r->auth_password_file[0] == '\0')
		return err_text(why, "auth_user without auth_password_file");
	*key_r = "auth_password_file";
	buf_init(&b, CONF_MAX);
	if (reader->read(reader->arg, r->auth_password_file, &b, why) == 0) {
		rest = buf_str(&b);
		line = STR_NULL;
		(void)str_split(&rest, '\n', &line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		v->auth_user = r->auth_user;
		v->auth_password = pool_str(c->pool, line).p;
	} else {
		ret = -1;
	}
	buf_fini(&b);
	return ret;
}

static int
build_permissions(struct conf *c, const struct conf_reader *reader,
    struct err *why)
{
	const char *const *p;
	struct str s;
	size_t i;

	for (p = c->relay.domains; *p != NULL; p++) {
		s = str_c(*p);
		if (s.n > 0 && s.p[0] == '.')
			s = str_n(s.p + 1, s.n - 1);
		if (str_eq_c(s, "*"))
			(void)err_text(why, "domains = \"*\" would "
			    "relay for everybody to everywhere");
		else if (!domain_valid(s, true))
			(void)err_text(why, "\"%s\" is no domain", *p);
		else
			continue;
		return conf_blame(c, CONF_SCOPE_RELAY, "", "domains", why);
	}
	for (p = c->relay.certificates; *p != NULL; p++) {
		for (i = 0, s = str_c(*p); i < s.n; i++) {
			char ch = ch_lower(s.p[i]);

			if (!ch_digit(ch) && ch != ':' &&
			    (ch < 'a' || ch > 'f'))
				break;
		}
		if (i == s.n && s.n >= 64)
			continue;
		(void)err_text(why, "\"%s\" is no SHA-256 fingerprint", *p);
		return conf_blame(c, CONF_SCOPE_RELAY, "", "certificates",
		    why);
	}
	return c->relay.users[0] != '\0' ? read_users(c, reader, why) : 0;
}

static int
read_users(struct conf *c, const struct conf_reader *reader, struct err *why)
{
	struct str rest, line;
	struct buf b;
	size_t n = 1, i, colon;
	int ret;

	buf_init(&b, CONF_MAX);
	ret = reader->read(reader->arg, c->relay.users, &b, why);
	for (i = 0; ret == 0 && i < buf_len(&b); i++)
		n += buf_p(&b)[i] == '\n';
	c->user = pool_alloc(c->pool, n * sizeof(*c->user));
	rest = buf_str(&b);
	for (n = 1; ret == 0 && str_split(&rest, '\n', &line); n++) {
		line = str_trim(line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		colon = str_find(line, ':');
		if (colon == 0 || colon + 1 >= line.n) {
			ret = err_text(why, "%s:%zu: this is not user:hash",
			    c->relay.users, n);
			break;
		}
		c->user[c->nuser].name = pool_strndup(c->pool, line.p, colon);
		c->user[c->nuser++].hash = pool_strndup(c->pool,
		    line.p + colon + 1, line.n - colon - 1);
	}
	buf_fini(&b);
	return ret;
}

void
conf_build_smtpd(const struct conf *c, const struct conf_listener *l,
    struct conf_flow *f)
{
	const struct conf_limits *m = &f->limits;

	f->smtpd = (struct smtpd_conf){
		.hostname = c->top.hostname,
		.banner_host = l->banner_host[0] != '\0' ? l->banner_host :
		    c->top.hostname,
		.banner_code = 220,
		.banner_text = l->banner_text,
		.listener = l->name,
		.tls = (enum smtpd_tls)l->tls,
		.implicit_tls = l->implicit_tls,
		.max_size = m->message_size,
		.max_header = m->header_size,
		.max_rcpt = m->recipients,
		.max_messages = m->messages,
		.max_hops = m->hops,
		.max_errors = m->errors,
		.max_bad_rcpt = m->refused_recipients,
		.max_commands = m->idle_commands,
		.idle_timeout = m->idle_timeout,
		.data_timeout = m->data_timeout,
		.total_timeout = m->session_timeout,
		.min_rate = m->min_rate,
		.tls_timeout = m->tls_timeout,
		.normalize = m->bare_newlines == 1,
		.etrn = l->etrn,
		.dsn = l->dsn,
		.chunking = l->chunking,
		.smtputf8 = l->smtputf8,
		.requiretls = l->requiretls,
		.limits = l->announce_limits,
		.auth = c->nuser > 0 || c->relay.user_table[0] != '\0',
		.received_tls = l->received_tls,
	};
}

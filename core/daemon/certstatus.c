/*
 * Which certificates are in use, until when, and the warnings before they end.
 */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"
#include "tls/certpile.h"
#include "tls/certstore.h"

static void	on_expiry(void *);
static int	roots_expiry(void *, const char *, struct err *);
static void	warn(struct master *, const char *, const char *, msec);
static void	alert(struct master *, const char *, const char *, int64_t,
		    const char *);

void
certs_expiry_start(struct master *m)
{
	loop_timer_init(m->loop, &m->expiry_turn, on_expiry, m);
	on_expiry(m);
}

static void
on_expiry(void *arg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	certs_expiry(m);
	loop_timer_set(&m->expiry_turn, HOURS(1));
}

/* Those in use, and the roots that the administrator chose himself. */
void
certs_expiry(struct master *m)
{
	const struct epoch_cert *c;
	unsigned n, i;

	c = epoch_certs(m->epoch, &n);
	for (i = 0; i < n; i++) {
		if (c[i].loaded && c[i].expires != 0)
			warn(m, c[i].name, c[i].use, c[i].expires);
	}
	(void)conf_tls_files(m->conf, roots_expiry, m, NULL);
}

static int
roots_expiry(void *arg, const char *path, struct err *why)
{
	const struct conf_reader *r;
	struct certpile *p;
	struct certfact f;
	struct pool *pool;
	struct master *m;
	struct buf text;
	unsigned i;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	(void)why;
	/* A bundle's distributor looks after it. */
	if (strcmp(path, conf_default_ca()) == 0)
		return 0;
	r = epoch_reader(m->epoch);
	p = certpile_new();
	pool = pool_new(0);
	buf_init(&text, CONF_FILE_MAX);
	if (r->read(r->arg, path, &text, NULL) == 0)
		certpile_read_bundle(p, buf_str(&text));
	for (i = 0; i < certpile_count(p); i++) {
		certpile_fact(p, i, pool, &f);
		warn(m, f.cn[0] != '\0' ? f.cn : f.subject, path,
		    f.not_after);
	}
	buf_fini(&text);
	pool_destroy(&pool);
	certpile_destroy(&p);
	return 0;
}

static void
warn(struct master *m, const char *name, const char *use, msec expires)
{
	int64_t days = expiry_days(expires, clock_wall());
	struct buf key;
	char date[32];

	buf_init(&key, 8192);
	(void)buf_printf(&key, "%s\n%s", name, use);
	if (expiry_due(&m->expiry, buf_p(&key), expires, clock_wall())) {
		clock_rfc3339(date, sizeof(date), expires);
		if (days >= 0)
			mail_log(EV_CERT_EXPIRES, str_c(name), str_c(use),
			    days, date);
		else
			mail_log(EV_CERT_EXPIRED, str_c(name), str_c(use),
			    -days, date);
		alert(m, name, use, days, date);
	}
	buf_fini(&key);
}

static void
alert(struct master *m, const char *name, const char *use, int64_t days,
    const char *date)
{
	struct buf text, key;

	buf_init(&text, 8192);
	buf_init(&key, 8192);
	if (days >= 0)
		(void)buf_printf(&text, "certificate \"%s\" (%s) expires in "
		    "%" PRId64 " days, %s", name, use, days, date);
	else
		(void)buf_printf(&text, "certificate \"%s\" (%s) expired %"
		    PRId64 " days ago, %s", name, use, -days, date);
	(void)buf_printf(&key, "certificate:%s", name);
	master_alert(m, days >= 0 ? "Warning" : "Critical", buf_p(&key),
	    buf_p(&text), NULL);
	buf_fini(&text);
	buf_fini(&key);
}

json_t *
certs_status(const struct master *m)
{
	const struct certmap *map = epoch_map(m->epoch);
	const struct certmap_row *row;
	const struct epoch_cert *c;
	json_t *v = json_array();
	unsigned n, i, k;
	char date[32];

	c = epoch_certs(m->epoch, &n);
	for (i = 0; i < map->n; i++) {
		row = &map->row[i];
		for (k = 0; k < n; k++) {
			if (strcmp(c[k].chain, row->chain) == 0 &&
			    strcmp(c[k].key, row->key) == 0)
				break;
		}
		if (k == n || c[k].expires == 0)
			continue;
		clock_rfc3339(date, sizeof(date), c[k].expires);
		(void)json_array_append_new(v, json_pack(
		    "{s:s, s:s, s:s, s:I, s:b}", "use", row->use, "name",
		    row->name, "expires", date, "days", (json_int_t)
		    expiry_days(c[k].expires, clock_wall()), "demonstration",
		    (int)certstore_is_default(row->name)));
	}
	return v;
}

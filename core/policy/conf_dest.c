/*
 * From destination blocks to what the relay takes.
 */
#include "mail/addr.h"
#include "policy/conf_priv.h"
#include "relay/batv.h"
#include "relay/route.h"

static int	build(const struct conf *, const struct conf_destination *,
		    struct relay_rules *, struct err *);
static int	read_keys(struct conf *, const struct conf_reader *,
		    struct err *);
static int	blame(const struct conf *, const struct conf_destination *,
		    const char *, struct err *);
static const char *beyond_tls(const struct conf_destination *);

int
conf_build_destinations(struct conf *c, const struct conf_reader *reader,
    struct err *why)
{
	const char *tags = NULL;
	struct relay_destination *v;
	unsigned i;

	v = pool_alloc(c->pool, (c->ndestination + 1) * sizeof(*v));
	for (i = 0; i < c->ndestination; i++) {
		v[i].name = c->destination[i].name;
		if (build(c, &c->destination[i], &v[i].rules, why) != 0)
			return -1;
		if (v[i].rules.tag == RELAY_TAG_ON)
			tags = v[i].name;
	}
	c->relay_conf.destination = v;
	c->relay_conf.ndestination = c->ndestination;
	if (c->delivery.bounce_keys[0] != '\0')
		return read_keys(c, reader, why);
	if (tags == NULL && c->relay_conf.rules.tag != RELAY_TAG_ON)
		return 0;
	(void)err_text(why, "bounce_verification without "
	    "delivery.bounce_keys");
	return tags != NULL ? conf_blame(c, CONF_SCOPE_DESTINATION, tags,
	    "bounce_verification", why) : conf_blame(c, CONF_SCOPE_DELIVERY,
	    "", "bounce_verification", why);
}

static int
read_keys(struct conf *c, const struct conf_reader *reader, struct err *why)
{
	struct batv *b = POOL_NEW(c->pool, struct batv);
	struct buf text;
	int r;

	buf_init(&text, CONF_MAX);
	r = reader->read(reader->arg, c->delivery.bounce_keys, &text, why);
	/* A reader of nothing only looks at the settings. */
	if (r == 0 && reader->read != conf_reader_none.read &&
	    batv_read(c->pool, buf_str(&text), b, why) != 0)
		r = err_prefix(why, "%s:", c->delivery.bounce_keys);
	explicit_bzero(buf_p(&text), buf_len(&text));
	buf_fini(&text);
	c->relay_conf.batv = b;
	return r;
}

/* The routes are built already. */
static int
build(const struct conf *c, const struct conf_destination *d,
    struct relay_rules *r, struct err *why)
{
	const char *key = beyond_tls(d);

	if (key != NULL && strchr(d->name, '@') != NULL) {
		(void)err_text(why, "%s: for an address there is tls alone",
		    key);
		return blame(c, d, key, why);
	}
	r->concurrency = d->concurrency;
	r->limit = (enum relay_limit)(d->limit_by + 1);
	r->max_messages = d->max_messages;
	r->recipients = d->recipients;
	r->minutes = d->recipient_minutes;
	r->ip = (unsigned)(d->ip + 1);
	r->tag = (enum relay_tag)(d->bounce_verification + 1);
	if (d->bounce_profile[0] != '\0') {
		r->profile = conf_profile_find(c, d->bounce_profile);
		if (r->profile == NULL) {
			(void)err_text(why, "no bounce_profile \"%s\"",
			    d->bounce_profile);
			return blame(c, d, "bounce_profile", why);
		}
	}
	if (d->route[0] != '\0') {
		r->route = d->route;
		if (route_check(&c->relay_conf, str_c(d->route), why) != 0) {
			(void)err_prefix(why, "route: ");
			return blame(c, d, "route", why);
		}
	}
	return 0;
}

static int
blame(const struct conf *c, const struct conf_destination *d,
    const char *key, struct err *why)
{
	return conf_blame(c, CONF_SCOPE_DESTINATION, d->name, key, why);
}

/* What a next hop shares cannot be said of one recipient. */
static const char *
beyond_tls(const struct conf_destination *d)
{
	if (d->concurrency != 0)
		return "concurrency";
	if (d->limit_by != -1)
		return "limit_by";
	if (d->max_messages != 0)
		return "max_messages";
	if (d->recipients != 0)
		return "recipients";
	if (d->recipient_minutes != 0)
		return "recipient_minutes";
	if (d->ip != -1)
		return "ip";
	if (d->bounce_profile[0] != '\0')
		return "bounce_profile";
	if (d->bounce_verification != -1)
		return "bounce_verification";
	return d->route[0] != '\0' ? "route" : NULL;
}

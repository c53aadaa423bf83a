/*
 * What somebody says about a unit that is about to be sent: more TLS, another
 * route. It is stored with the recipient, so that it holds for every later
 * attempt, and the recipient waits under its new key: it is not sent on a
 * connection that was made for less.
 */
#include "relay/relay_priv.h"
#include "relay/route.h"

#define TURNS_MAX 10 /* then somebody cannot make up their mind */

/* The maximum of what is stored and what is wanted now. */
static int
raise_want(const struct rcpt *rc, const char *want, const char **text_r,
    struct pool *pool, struct err *why)
{
	struct tlswant old, more, both;
	struct buf text;

	if (tlswant_read(&more, str_c(want), pool, why) == -1) {
		(void)err_prefix(why, "a plugin wants TLS that is not "
		    "readable: ");
		goto bad;
	}
	both = more;
	if (rc->want.n > 0) {
		if (tlswant_read(&old, rc->want, pool, why) == -1)
			goto bad;
		tlswant_max(&both, &old, &more, pool);
	}
	buf_init(&text, RCPT_WANT_MAX);
	tlswant_write(&both, &text);
	if (buf_full(&text))
		(void)err_text(why, "the TLS that plugins want has more than "
		    "%d octets", RCPT_WANT_MAX);
	else
		*text_r = pool_strdup(pool, buf_p(&text));
	buf_fini(&text);
	if (*text_r != NULL)
		return 0;
bad:
	why->code = 451;
	(void)str_copy(why->enh, sizeof(why->enh), STR("4.7.0"));
	return -1;
}

int
treat_rcpt(struct relay *r, struct rcpt *rc, const char *key,
    const struct relay_verdict *v, struct treat *t_r, struct pool *pool,
    struct err *why)
{
	struct queue_to to = { .domain = rc->addr.domain,
		.local = rc->addr.local,
		.want = rc->want,
		.route = rc->route,
		.profile = rc->profile };

	*t_r = (struct treat){ NULL, NULL };
	if (v->want != NULL &&
	    raise_want(rc, v->want, &t_r->want, pool, why) == -1)
		return -1;
	if (v->route != NULL && route_check(r->gen->conf, str_c(v->route),
		why) == -1) {
		(void)err_prefix(why, "a plugin wants a route: ");
		why->code = 451;
		(void)str_copy(why->enh, sizeof(why->enh), STR("4.3.5"));
		return -1;
	}
	if (v->route != NULL)
		t_r->route = pool_strdup(pool, v->route);
	if (t_r->want != NULL)
		to.want = str_c(t_r->want);
	if (t_r->route != NULL)
		to.route = str_c(t_r->route);
	if (strcmp(relay_queue_ops()->hop_key(r, &to), key) == 0)
		return 0;
	if (rc->turns++ >= TURNS_MAX)
		return err_set(why, 451, "4.3.5", "plugins send it to and "
		    "fro");
	return 1;
}

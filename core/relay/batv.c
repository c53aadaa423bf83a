#include "relay/batv.h"

#include <stdio.h>

#include "tls/tlsmac.h"

#define TAG_OCTETS 16 /* "prvs=KDDDSSSSSS=" */
#define TAG_FRONT 5   /* "prvs=" */
#define SECRET_MIN 8

static void	sign(const struct batv_key *key, const char *day,
		    struct str address, char hex[7]);
static unsigned	day_of(msec now);

int
batv_read(struct pool *pool, struct str text, struct batv *b_r,
    struct err *why)
{
	struct str rest = text, line, secret;
	struct batv_key *v;
	size_t n = 0, i;

	for (i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	v = pool_alloc(pool, (n + 1) * sizeof(*v));
	b_r->key = v;
	b_r->n = 0;
	for (n = 1; str_split(&rest, '\n', &line); n++) {
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		secret = str_n(line.p + 1, line.n - 1);
		if (!ch_digit(line.p[0]) || secret.n == 0 ||
		    secret.p[0] != ' ' ||
		    (secret = str_trim(secret)).n < SECRET_MIN)
			return err_text(why, "%zu: this is not a digit, a "
			    "blank and a secret of %d octets or more", n,
			    SECRET_MIN);
		for (i = 0; i < b_r->n; i++) {
			if (v[i].number == line.p[0])
				return err_text(why, "%zu: key %c is there "
				    "already", n, line.p[0]);
		}
		v[b_r->n].number = line.p[0];
		v[b_r->n++].secret = pool_str(pool, secret);
	}
	return b_r->n > 0 ? 0 : err_text(why, "1: there is no key");
}

static bool
has_tag(const struct addr *a)
{
	return a->local.n > TAG_OCTETS && str_istarts(a->local, "prvs=") &&
	    a->local.p[TAG_OCTETS - 1] == '=';
}

bool
batv_tag(const struct batv *b, const struct addr *a, msec now,
    struct pool *pool, struct addr *tagged_r)
{
	char day[4], hex[7];
	const char *text;

	if (b->n == 0 || a->local.n == 0 || a->domain.n == 0 ||
	    a->local.p[0] == '"' || a->local.n + TAG_OCTETS > ADDR_LOCAL_MAX ||
	    a->full.n + TAG_OCTETS + 2 > ADDR_PATH_MAX || has_tag(a))
		return false;
	(void)snprintf(day, sizeof(day), "%03u",
	    (day_of(now) + BATV_DAYS) % 1000);
	sign(&b->key[0], day, a->full, hex);
	text = pool_printf(pool, "prvs=%c%s%s=%.*s", b->key[0].number, day,
	    hex, STR_FMT(a->full));
	*tagged_r = *a;
	tagged_r->full = str_c(text);
	tagged_r->local = str_n(text, a->local.n + TAG_OCTETS);
	tagged_r->domain = str_n(text + a->local.n + TAG_OCTETS + 1,
	    a->domain.n);
	return true;
}

enum batv_is
batv_untag(const struct batv *b, struct addr *a, msec now)
{
	const char *tag = a->local.p + TAG_FRONT;
	char day[4], hex[7];
	struct str address;
	unsigned i, end, left;

	if (!has_tag(a))
		return BATV_NONE;
	address = str_n(a->full.p + TAG_OCTETS, a->full.n - TAG_OCTETS);
	for (i = 1; i < 4; i++) {
		if (!ch_digit(tag[i]))
			return BATV_BAD;
		day[i - 1] = tag[i];
	}
	day[3] = '\0';
	end = (unsigned)(day[0] - '0') * 100 + (unsigned)(day[1] - '0') * 10 +
	    (unsigned)(day[2] - '0');
	left = (end + 1000 - day_of(now)) % 1000;
	if (left > BATV_DAYS)
		return BATV_BAD;
	for (i = 0; i < b->n; i++) {
		if (b->key[i].number == tag[0])
			break;
	}
	if (i == b->n)
		return BATV_BAD;
	sign(&b->key[i], day, address, hex);
	if (!str_ieq(str_n(tag + 4, 6), str_c(hex)))
		return BATV_BAD;
	a->full = address;
	a->local = str_n(address.p, a->local.n - TAG_OCTETS);
	return BATV_GOOD;
}

static void
sign(const struct batv_key *key, const char *day, struct str address,
    char hex[7])
{
	char text[4 + ADDR_PATH_MAX + 1];
	uint8_t mac[TLSMAC_SHA1];
	int n;

	n = snprintf(text, sizeof(text), "%c%s%.*s", key->number, day,
	    STR_FMT(address));
	if (n < 0 || (size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	str_lower(text, (size_t)n);
	tlsmac_sha1(key->secret, str_n(text, (size_t)n), mac);
	(void)snprintf(hex, 7, "%02x%02x%02x", mac[0], mac[1], mac[2]);
}

/* Since 1970, modulo 1000. */
static unsigned
day_of(msec now)
{
	return (unsigned)(now / HOURS(24) % 1000);
}

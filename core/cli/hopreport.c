#include "cli/hopreport.h"

#include <inttypes.h>

#include "base/codec.h"
#include "base/num.h"
#include "base/pool.h"
#include "mail/header.h"
#include "mail/hop.h"

enum { SHOWN_MAX = 255 }; /* octets of a stranger's word that are shown */

static unsigned read_hops(struct pool *pool, struct str message,
    struct hop **hop_r);
static struct str crlf_form(struct pool *pool, struct str message);
static void text_report(struct buf *dst, const struct hop *hop, unsigned n);
static void text_hop(struct buf *dst, const struct hop *hop, unsigned i);
static void text_verdict(struct buf *dst, const struct hop *hop, unsigned n);
static void text_numbers(struct buf *dst, const struct hop *hop, unsigned n,
    enum hop_tls what);
static void json_report(struct buf *dst, const struct hop *hop, unsigned n);
static void json_hop(struct buf *dst, const struct hop *hop, unsigned i);
static void json_member(struct buf *dst, const char *name, struct str value);
static enum hop_tls verdict(const struct hop *hop, unsigned n);
static unsigned count(const struct hop *hop, unsigned n, enum hop_tls what);
static void add_clean(struct buf *dst, const char *before, struct str s,
    const char *after);

unsigned
hopreport(struct buf *dst, struct str message, bool json)
{
	struct pool *pool = pool_new(0);
	struct hop *hop;
	unsigned n = read_hops(pool, message, &hop);

	if (json)
		json_report(dst, hop, n);
	else
		text_report(dst, hop, n);
	pool_destroy(&pool);
	return n;
}

/* Each host puts its field in front: the first hop is the last field. */
static unsigned
read_hops(struct pool *pool, struct str message, struct hop **hop_r)
{
	struct header h;
	unsigned n = 0;
	size_t i;

	header_parse(pool, crlf_form(pool, message), SIZE_MAX, &h);
	*hop_r = pool_alloc(pool, HOPREPORT_MAX * sizeof(**hop_r));
	for (i = h.n; i-- > 0 && n < HOPREPORT_MAX;) {
		if (str_ieq_c(h.v[i].name, "Received"))
			hop_parse(pool, h.v[i].value, &(*hop_r)[n++]);
	}
	return n;
}

static struct str
crlf_form(struct pool *pool, struct str message)
{
	char *dst;
	size_t i, n = 0, lines = 0;

	if (str_istarts(message, "From ")) {
		i = str_find(message, '\n');
		i = i < message.n ? i + 1 : i;
		message = str_n(message.p + i, message.n - i);
	}
	for (i = 0; i < message.n; i++)
		lines += message.p[i] == '\n';
	dst = pool_alloc(pool, message.n + lines + 1);
	for (i = 0; i < message.n; i++) {
		if (message.p[i] == '\n' &&
		    (i == 0 || message.p[i - 1] != '\r'))
			dst[n++] = '\r';
		dst[n++] = message.p[i];
	}
	return str_n(dst, n);
}

static void
text_report(struct buf *dst, const struct hop *hop, unsigned n)
{
	unsigned i;

	if (n == 0) {
		(void)buf_add_c(dst, "No Received field: nothing is told of "
		    "the way this message took.\n");
		return;
	}
	(void)buf_printf(dst, "%u %s, from the first to the last:\n", n,
	    n == 1 ? "hop" : "hops");
	for (i = 0; i < n; i++)
		text_hop(dst, hop, i);
	text_verdict(dst, hop, n);
}

static void
text_hop(struct buf *dst, const struct hop *hop, unsigned i)
{
	const struct hop *h = &hop[i];
	char date[32], delay[32];
	msec d;

	(void)buf_printf(dst, "\n%2u  %s", i + 1, hop_tls_word(h->tls));
	add_clean(dst, "  ", h->version, "");
	add_clean(dst, h->version.n > 0 ? " " : "  ", h->cipher, "");
	add_clean(dst, " (", h->bits, " bits)");
	(void)buf_add_c(dst, "\n");
	if (h->from.n > 0 || h->from_info.n > 0) {
		(void)buf_add_c(dst, "    from");
		add_clean(dst, " ", h->from, "");
		add_clean(dst, " (", h->from_info, ")");
		(void)buf_add_c(dst, "\n");
	}
	(void)buf_add_c(dst, "    by");
	add_clean(dst, " ", h->by.n > 0 ? h->by : STR("an unnamed host"), "");
	add_clean(dst, " with ", h->with, "");
	add_clean(dst, " id ", h->id, "");
	(void)buf_add_c(dst, "\n");
	if (!h->dated)
		return;
	clock_rfc3339(date, sizeof(date), h->when);
	(void)buf_printf(dst, "    %.10s %.8s UTC", date, date + 11);
	if (i > 0 && hop[i - 1].dated) {
		d = h->when - hop[i - 1].when;
		(void)num_fmt_duration(delay, sizeof(delay), d < 0 ? -d : d);
		(void)buf_printf(dst, d < 0 ? ", %s earlier: clocks differ" :
		    ", after %s", delay);
	}
	(void)buf_add_c(dst, "\n");
}

static void
text_verdict(struct buf *dst, const struct hop *hop, unsigned n)
{
	unsigned local = count(hop, n, HOP_LOCAL);

	(void)buf_add_c(dst, "\nVerdict: ");
	switch (verdict(hop, n)) {
	case HOP_ENCRYPTED:
		(void)buf_add_c(dst, "encrypted on every hop");
		break;
	case HOP_CLEAR:
		(void)buf_add_c(dst, "clear on hop");
		text_numbers(dst, hop, n, HOP_CLEAR);
		break;
	case HOP_UNKNOWN:
		(void)buf_add_c(dst, "unknown on hop");
		text_numbers(dst, hop, n, HOP_UNKNOWN);
		break;
	case HOP_LOCAL:
		(void)buf_add_c(dst, "local only, no connection is told of");
		break;
	}
	(void)buf_printf(dst, " (%u encrypted, %u clear, %u unknown",
	    count(hop, n, HOP_ENCRYPTED), count(hop, n, HOP_CLEAR),
	    count(hop, n, HOP_UNKNOWN));
	if (local > 0)
		(void)buf_printf(dst, ", %u local", local);
	(void)buf_add_c(dst, ")\n");
}

static void
text_numbers(struct buf *dst, const struct hop *hop, unsigned n,
    enum hop_tls what)
{
	const char *sep = " ";
	unsigned i;

	for (i = 0; i < n; i++) {
		if (hop[i].tls != what)
			continue;
		(void)buf_printf(dst, "%s%u", sep, i + 1);
		sep = ", ";
	}
}

static void
json_report(struct buf *dst, const struct hop *hop, unsigned n)
{
	enum hop_tls t;
	unsigned i;

	(void)buf_add_c(dst, "{\"hops\":[");
	for (i = 0; i < n; i++)
		json_hop(dst, hop, i);
	(void)buf_add_c(dst, "]");
	for (t = HOP_UNKNOWN; t <= HOP_LOCAL; t++)
		(void)buf_printf(dst, ",\"%s\":%u", hop_tls_word(t),
		    count(hop, n, t));
	(void)buf_printf(dst, ",\"verdict\":\"%s\"}\n",
	    hop_tls_word(verdict(hop, n)));
}

static void
json_hop(struct buf *dst, const struct hop *hop, unsigned i)
{
	const struct hop *h = &hop[i];
	char date[32];

	(void)buf_printf(dst, "%s{\"hop\":%u,\"tls\":\"%s\"",
	    i > 0 ? "," : "", i + 1, hop_tls_word(h->tls));
	json_member(dst, "from", h->from);
	json_member(dst, "from_info", h->from_info);
	json_member(dst, "by", h->by);
	json_member(dst, "with", h->with);
	json_member(dst, "id", h->id);
	json_member(dst, "version", h->version);
	json_member(dst, "cipher", h->cipher);
	json_member(dst, "bits", h->bits);
	if (h->dated) {
		clock_rfc3339(date, sizeof(date), h->when);
		(void)buf_printf(dst, ",\"time\":\"%s\"", date);
		if (i > 0 && hop[i - 1].dated)
			(void)buf_printf(dst, ",\"delay_ms\":%" PRId64,
			    h->when - hop[i - 1].when);
	}
	(void)buf_add_c(dst, "}");
}

static void
json_member(struct buf *dst, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	(void)buf_printf(dst, ",\"%s\":", name);
	(void)json_quote(dst, value);
}

/* A clear hop spoils the whole, then one that tells nothing. */
static enum hop_tls
verdict(const struct hop *hop, unsigned n)
{
	if (count(hop, n, HOP_CLEAR) > 0)
		return HOP_CLEAR;
	if (n == 0 || count(hop, n, HOP_UNKNOWN) > 0)
		return HOP_UNKNOWN;
	return count(hop, n, HOP_LOCAL) == n ? HOP_LOCAL : HOP_ENCRYPTED;
}

static unsigned
count(const struct hop *hop, unsigned n, enum hop_tls what)
{
	unsigned i, found = 0;

	for (i = 0; i < n; i++)
		found += hop[i].tls == what;
	return found;
}

static void
add_clean(struct buf *dst, const char *before, struct str s, const char *after)
{
	if (s.n == 0)
		return;
	(void)buf_add_c(dst, before);
	(void)log_clean(dst, s, SHOWN_MAX, true);
	(void)buf_add_c(dst, after);
}

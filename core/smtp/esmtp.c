#include "smtp/esmtp.h"

#include "base/buf.h"
#include "base/codec.h"
#include "base/num.h"
#include "mail/envelope.h"
#include "smtp/cmdline.h"

/* One KEYWORD or KEYWORD=VALUE. */
struct param {
	struct str key;
	struct str value;
	bool has_value;
};

/* What a parameter's function may fill: one of the two. */
struct target {
	struct pool *pool;
	unsigned offers;
	struct esmtp_mail *mail;
	struct esmtp_rcpt *rcpt;
};

/* Returns 0, or -1: not a value of this parameter. */
typedef int param_fn(struct target *t, const struct param *p);

struct known {
	const char *name;
	unsigned offer; /* enum esmtp_offers it belongs to, 0: always */
	bool has_value;
	param_fn *fn;
};

static param_fn set_size, set_body, set_smtputf8, set_ret, set_envid, set_auth;
static param_fn set_requiretls, set_notify, set_orcpt;

static const struct known mail_params[] = {
	{ "SIZE", 0, true, set_size },
	{ "BODY", 0, true, set_body },
	{ "SMTPUTF8", ESMTP_SMTPUTF8, false, set_smtputf8 },
	{ "REQUIRETLS", ESMTP_REQUIRETLS, false, set_requiretls },
	{ "RET", ESMTP_DSN, true, set_ret },
	{ "ENVID", ESMTP_DSN, true, set_envid },
	{ "AUTH", 0, true, set_auth },
	{ NULL, 0, false, NULL },
};

static const struct known rcpt_params[] = {
	{ "NOTIFY", ESMTP_DSN, true, set_notify },
	{ "ORCPT", ESMTP_DSN, true, set_orcpt },
	{ NULL, 0, false, NULL },
};

static int parse(const struct known *table, struct str rest, struct target *t,
    struct err *why);

int
esmtp_mail(struct pool *pool, struct str rest, unsigned offers,
    struct esmtp_mail *m_r, struct err *why)
{
	struct esmtp_mail m = { 0, 0, STR_NULL };
	struct target t = { pool, offers, &m, NULL };

	if (parse(mail_params, rest, &t, why) < 0)
		return -1;
	*m_r = m;
	return 0;
}

int
esmtp_rcpt(struct pool *pool, struct str rest, unsigned offers,
    struct esmtp_rcpt *r_r, struct err *why)
{
	struct esmtp_rcpt r = { 0, STR_NULL };
	struct target t = { pool, offers, NULL, &r };

	if (parse(rcpt_params, rest, &t, why) < 0)
		return -1;
	*r_r = r;
	return 0;
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool
key_valid(struct str key)
{
	size_t i;

	if (key.n == 0 || !ch_alnum(key.p[0]))
		return false;
	for (i = 1; i < key.n; i++) {
		if (!ch_alnum(key.p[i]) && key.p[i] != '-')
			return false;
	}
	return true;
}

/* No blanks and no controls; "=" is left to the xtext decoder to judge. */
static bool
value_valid(struct str value)
{
	size_t i;

	for (i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return value.n > 0 && utf8_valid(value);
}

static bool
next_param(struct str *rest, struct param *p)
{
	struct str word;
	size_t eq;

	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = str_n(rest->p + 1, rest->n - 1);
	if (rest->n == 0 || !str_split(rest, ' ', &word))
		return false;
	eq = str_find(word, '=');
	p->key = str_n(word.p, eq);
	p->has_value = eq < word.n;
	p->value = STR_NULL;
	if (p->has_value)
		p->value = str_n(word.p + eq + 1, word.n - eq - 1);
	return true;
}

static const struct known *
find(const struct known *table, struct str key, unsigned offers)
{
	for (; table->name != NULL; table++) {
		if (str_ieq_c(key, table->name))
			break;
	}
	if (table->name == NULL || (table->offer & ~offers) != 0)
		return NULL;
	return table;
}

static int
parse(const struct known *table, struct str rest, struct target *t,
    struct err *why)
{
	const struct known *k;
	struct param p;
	unsigned seen = 0, bit;

	while (next_param(&rest, &p)) {
		if (!key_valid(p.key))
			return err_set(
			    why, 501, "5.5.4", "Malformed parameter");
		k = find(table, p.key, t->offers);
		if (k == NULL)
			return err_set(
			    why, 555, "5.5.4", "Unsupported parameter");
		bit = 1u << (k - table);
		if ((seen & bit) != 0)
			return err_set(why, 501, "5.5.4",
			    "Parameter %s given twice", k->name);
		seen |= bit;
		if (p.has_value != k->has_value ||
		    (p.has_value && !value_valid(p.value)) || k->fn(t, &p) < 0)
			return err_set(why, 501, "5.5.4",
			    "Bad value of parameter %s", k->name);
	}
	return 0;
}

static int
set_size(struct target *t, const struct param *p)
{
	size_t i;

	if (p->value.n > 20)
		return -1;
	for (i = 0; i < p->value.n; i++) {
		if (!ch_digit(p->value.p[i]))
			return -1;
	}
	/* Twenty digits may be more than 64 bits hold: past any limit. */
	if (num_u64(p->value, UINT64_MAX, &t->mail->size) < 0)
		t->mail->size = UINT64_MAX;
	return 0;
}

static int
set_body(struct target *t, const struct param *p)
{
	if (str_ieq_c(p->value, "8BITMIME"))
		t->mail->flags |= ENV_8BITMIME;
	else if (!str_ieq_c(p->value, "7BIT"))
		return -1;
	return 0;
}

static int
set_smtputf8(struct target *t, const struct param *p)
{
	(void)p;
	t->mail->flags |= ENV_SMTPUTF8;
	return 0;
}

static int
set_requiretls(struct target *t, const struct param *p)
{
	(void)p;
	t->mail->flags |= ENV_REQUIRETLS;
	return 0;
}

static int
set_ret(struct target *t, const struct param *p)
{
	if (str_ieq_c(p->value, "FULL"))
		t->mail->flags |= ENV_RET_FULL;
	else if (str_ieq_c(p->value, "HDRS"))
		t->mail->flags |= ENV_RET_HDRS;
	else
		return -1;
	return 0;
}

/* Decodes xtext to printable ASCII in pool memory. */
static int
decode(struct pool *pool, struct str value, struct str *text_r)
{
	struct buf b;
	int rv = -1;

	buf_init(&b, CMDLINE_PARAM_MAX);
	if (xtext_decode(&b, value) == 0 && ascii_only(buf_str(&b))) {
		*text_r = pool_str(pool, buf_str(&b));
		rv = 0;
	}
	buf_fini(&b);
	return rv;
}

static int
set_envid(struct target *t, const struct param *p)
{
	if (p->value.n > ESMTP_ENVID_MAX)
		return -1;
	return decode(t->pool, p->value, &t->mail->envid);
}

/* Checked and forgotten: a relay that trusts no such claim passes on AUTH=<>
 * (RFC 4954 5), which is the same as nothing. */
static int
set_auth(struct target *t, const struct param *p)
{
	struct str text;

	if (str_eq_c(p->value, "<>"))
		return 0;
	return decode(t->pool, p->value, &text);
}

static int
set_notify(struct target *t, const struct param *p)
{
	struct str rest = p->value, word;
	unsigned notify = 0;

	if (rest.p[rest.n - 1] == ',')
		return -1;
	while (str_split(&rest, ',', &word)) {
		if (str_ieq_c(word, "NEVER"))
			notify |= NOTIFY_NEVER;
		else if (str_ieq_c(word, "SUCCESS"))
			notify |= NOTIFY_SUCCESS;
		else if (str_ieq_c(word, "FAILURE"))
			notify |= NOTIFY_FAILURE;
		else if (str_ieq_c(word, "DELAY"))
			notify |= NOTIFY_DELAY;
		else
			return -1;
	}
	if ((notify & NOTIFY_NEVER) != 0 && notify != NOTIFY_NEVER)
		return -1;
	t->rcpt->notify = notify;
	return 0;
}

/* addr-type ";" xtext. The type utf-8 has an encoding of its own (RFC 6533
 * 3), which stays as it is. */
static int
set_orcpt(struct target *t, const struct param *p)
{
	size_t semi = str_find(p->value, ';');
	struct str type = str_n(p->value.p, semi), text;

	if (p->value.n > ESMTP_ORCPT_MAX || !key_valid(type) ||
	    semi + 1 >= p->value.n)
		return -1;
	text = str_n(p->value.p + semi + 1, p->value.n - semi - 1);
	if (str_ieq_c(type, "utf-8")) {
		if ((t->offers & ESMTP_SMTPUTF8) == 0 && !ascii_only(text))
			return -1;
		t->rcpt->orcpt = pool_str(t->pool, p->value);
		return 0;
	}
	if (decode(t->pool, text, &text) < 0)
		return -1;
	t->rcpt->orcpt = str_c(
	    pool_printf(t->pool, "%.*s;%.*s", STR_FMT(type), STR_FMT(text)));
	return 0;
}

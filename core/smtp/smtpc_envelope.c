/*
 * What a transaction demands of the peer, and its MAIL and RCPT lines.
 *
 * All is decided anew for each transaction against what is offered now, so
 * that a reused connection cannot carry what a fresh one would refuse.
 */
#include "base/codec.h"
#include "smtp/smtpc_priv.h"

enum { ORCPT_MAX = 500, ENVID_MAX = 100 }; /* RFC 3461 4.2, 4.4 */

enum path_kind {
	PATH_ASCII,
	PATH_UTF8_DOMAIN, /* A-labels would do */
	PATH_UTF8_LOCAL,
	PATH_BAD /* has control octets: never on a command line */
};

static const struct addr *sender_of(const struct smtpc_txn *txn);
static enum path_kind path_kind(const struct addr *a);
static bool header_is_utf8(const struct smtpc *c);
static int demand_path(const struct smtpc *c, const struct addr *a,
    const char *enh, struct err *why);
static void
add_path(const struct smtpc *c, struct buf *dst, const struct addr *a);
static void add_orcpt(struct buf *dst, struct str orcpt);
static void add_unitext(struct buf *dst, struct str s);
static void add_notify(struct buf *dst, unsigned notify);

/*
 * 8BITMIME: content with 8-bit octets whose sender relied on BODY=8BITMIME is
 * not given to a host without it (5.6.3, RFC 6152 3); we do not rewrite
 * messages. Without that declaration nobody was promised anything, and every
 * host of our days takes the octets, so it goes as it is.
 */
int
smtpc_demand_message(const struct smtpc *c, struct err *why)
{
	const struct smtpc_txn *txn = c->run.txn;
	unsigned flags = txn->env->flags;

	if (c->caps.size_max > 0 && txn->size > c->caps.size_max)
		return err_set(why, 0, "5.3.4",
		    "message of %llu octets is "
		    "larger than the %llu that the host takes",
		    (unsigned long long)txn->size,
		    (unsigned long long)c->caps.size_max);
	if (!c->caps.eightbit && (flags & ENV_8BITMIME) != 0 &&
	    (flags & ENV_8BIT_SEEN) != 0)
		return err_set(
		    why, 0, "5.6.3", "the host does not offer 8BITMIME");
	if (!c->caps.smtputf8 && header_is_utf8(c))
		return err_set(
		    why, 0, "5.6.7", "the host does not offer SMTPUTF8");
	return demand_path(c, sender_of(txn), "5.1.7", why);
}

int
smtpc_demand_rcpt(const struct smtpc *c, unsigned i, struct err *why)
{
	return demand_path(c, &c->run.txn->rcpt[i]->addr, "5.1.3", why);
}

/* RFC 6531 3.4: the keyword is for addresses and header; it is passed on as
 * it was given to us, and added where an address needs it. */
bool
smtpc_needs_utf8(const struct smtpc *c)
{
	const struct smtpc_txn *txn = c->run.txn;
	unsigned i;

	if ((txn->env->flags & ENV_SMTPUTF8) != 0 ||
	    path_kind(sender_of(txn)) != PATH_ASCII)
		return true;
	for (i = 0; i < txn->nrcpt; i++) {
		if (path_kind(&txn->rcpt[i]->addr) != PATH_ASCII)
			return true;
	}
	return false;
}

void
smtpc_line_mail(const struct smtpc *c, struct buf *dst)
{
	const struct smtpc_txn *txn = c->run.txn;
	const struct envelope *env = txn->env;

	(void)buf_add_c(dst, "MAIL FROM:<");
	add_path(c, dst, sender_of(txn));
	(void)buf_add_char(dst, '>');
	if (c->caps.size)
		(void)buf_printf(
		    dst, " SIZE=%llu", (unsigned long long)txn->size);
	if (c->caps.eightbit &&
	    (env->flags & (ENV_8BITMIME | ENV_8BIT_SEEN)) != 0)
		(void)buf_add_c(dst, " BODY=8BITMIME");
	if (c->run.utf8)
		(void)buf_add_c(dst, " SMTPUTF8");
	if (c->conf.want.requiretls)
		(void)buf_add_c(dst, " REQUIRETLS");
	if (c->caps.dsn && txn->dsn_relay) {
		if ((env->flags & ENV_RET_FULL) != 0)
			(void)buf_add_c(dst, " RET=FULL");
		else if ((env->flags & ENV_RET_HDRS) != 0)
			(void)buf_add_c(dst, " RET=HDRS");
		if (env->envid.n > 0 && env->envid.n <= ENVID_MAX) {
			(void)buf_add_c(dst, " ENVID=");
			(void)xtext_encode(dst, env->envid);
		}
	}
	(void)buf_add_c(dst, "\r\n");
}

void
smtpc_line_rcpt(const struct smtpc *c, unsigned i, struct buf *dst)
{
	const struct rcpt *rcpt = c->run.txn->rcpt[i];

	(void)buf_add_c(dst, "RCPT TO:<");
	add_path(c, dst, &rcpt->addr);
	(void)buf_add_char(dst, '>');
	if (c->caps.dsn && c->run.txn->dsn_relay) {
		add_notify(dst, rcpt->notify);
		add_orcpt(dst, rcpt->orcpt);
	}
	(void)buf_add_c(dst, "\r\n");
}

static const struct addr *
sender_of(const struct smtpc_txn *txn)
{
	return txn->sender != NULL ? txn->sender : &txn->env->sender;
}

static enum path_kind
path_kind(const struct addr *a)
{
	bool utf8 = false;
	size_t i;

	for (i = 0; i < a->full.n; i++) {
		unsigned char ch = (unsigned char)a->full.p[i];

		if (ch < ' ' || ch == 0x7f)
			return PATH_BAD;
		utf8 |= ch > 0x7f;
	}
	if (!utf8)
		return PATH_ASCII;
	return ascii_only(a->local) ? PATH_UTF8_DOMAIN : PATH_UTF8_LOCAL;
}

/* Raw 8-bit header without SMTPUTF8 is an old sin that all relays pass on. */
static bool
header_is_utf8(const struct smtpc *c)
{
	unsigned both = ENV_SMTPUTF8 | ENV_UTF8_HEADER;

	return (c->run.txn->env->flags & both) == both;
}

static int
demand_path(const struct smtpc *c, const struct addr *a, const char *enh,
    struct err *why)
{
	char ascii[ADDR_DOMAIN_MAX + 1];

	switch (path_kind(a)) {
	case PATH_ASCII:
		return 0;
	case PATH_UTF8_DOMAIN:
		if (c->caps.smtputf8 ||
		    domain_to_ascii(a->domain, ascii, sizeof(ascii)) == 0)
			return 0;
		break;
	case PATH_UTF8_LOCAL:
		if (c->caps.smtputf8)
			return 0;
		break;
	case PATH_BAD:
		return err_set(why, 0, enh, "address has control characters");
	}
	return err_set(why, 0, "5.6.7", "the host does not offer SMTPUTF8");
}

static void
add_path(const struct smtpc *c, struct buf *dst, const struct addr *a)
{
	char ascii[ADDR_DOMAIN_MAX + 1];

	if (c->caps.smtputf8 || path_kind(a) != PATH_UTF8_DOMAIN ||
	    domain_to_ascii(a->domain, ascii, sizeof(ascii)) < 0) {
		(void)buf_add_str(dst, a->full);
		return;
	}
	(void)buf_add_str(dst, a->local);
	(void)buf_printf(dst, "@%s", ascii);
}

static void
add_notify(struct buf *dst, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *sep = " NOTIFY=";
	size_t i;

	if ((notify & NOTIFY_NEVER) != 0) {
		(void)buf_add_c(dst, " NOTIFY=NEVER");
		return;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		(void)buf_add_c(dst, sep);
		(void)buf_add_c(dst, words[i].word);
		sep = ",";
	}
}

/*
 * "type;address", which arrived decoded. One of type utf-8 goes in the form
 * that needs no SMTPUTF8 (RFC 6533 3); another cannot have octets above 127.
 */
static void
add_orcpt(struct buf *dst, struct str orcpt)
{
	struct str type = { orcpt.p, str_find(orcpt, ';') };
	struct str addr;

	if (type.n == 0 || type.n == orcpt.n || orcpt.n > ORCPT_MAX)
		return;
	addr = str_n(orcpt.p + type.n + 1, orcpt.n - type.n - 1);
	if (str_ieq_c(type, "utf-8")) {
		if (!utf8_valid(addr))
			return;
		(void)buf_add_c(dst, " ORCPT=utf-8;");
		add_unitext(dst, addr);
		return;
	}
	if (!ascii_only(orcpt))
		return;
	(void)buf_add_c(dst, " ORCPT=");
	(void)xtext_encode(dst, type);
	(void)buf_add_char(dst, ';');
	(void)xtext_encode(dst, addr);
}

/* s is valid UTF-8. */
static void
add_unitext(struct buf *dst, struct str s)
{
	size_t i = 0, more;
	unsigned ch;

	while (i < s.n) {
		ch = (unsigned char)s.p[i++];
		if (ch > ' ' && ch < 0x7f && ch != '+' && ch != '=' &&
		    ch != '\\') {
			(void)buf_add_char(dst, (char)ch);
			continue;
		}
		more = ch < 0xc0 ? 0 : ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;
		ch &= more == 0 ? 0x7fu : 0x3fu >> more;
		for (; more > 0; more--)
			ch = ch << 6 | ((unsigned char)s.p[i++] & 0x3f);
		(void)buf_printf(dst, "\\x{%02X}", ch);
	}
}

#include "trial/subject.h"

#include <limits.h>
#include <string.h>

#include "base/obj.h"
#include "mail/header.h"
#include "tls/tlswant.h"

#define BODY_MAX (64 * 1024 * 1024)
#define HEADER_MAX (1024 * 1024)

static const char *const facts[] = {
#define FACT(id, name, set, help) name,
#include "tbl/facts.h"
#undef FACT
};

static const char *get(void *arg, enum fact f, int rcpt, struct pool *pool);

static void
fini(void *arg)
{
	struct subject *s = arg;

	subject_end_message(s);
	subject_end_session(s);
	subject_end_event(s);
	buf_fini(&s->content);
}

struct subject *
subject_new(struct pool *pool)
{
	struct subject *s = POOL_NEW(pool, struct subject);

	OBJ_INIT(s, SUBJECT_MAGIC);
	s->pool = pool;
	buf_init(&s->content, BODY_MAX);
	pool_defer(pool, fini, s);
	return s;
}

void
subject_end_event(struct subject *s)
{
	scope_end(&s->event_scope);
}

void
subject_end_message(struct subject *s)
{
	unsigned i;

	subject_end_event(s);
	for (i = 0; i <= s->nrcpt; i++) {
		if (s->rcpt[i] != NULL)
			scope_end(&s->rcpt[i]->scope);
		s->rcpt[i] = NULL;
	}
	scope_end(&s->message_scope);
	s->nrcpt = s->nbranch = s->notices = 0;
	s->message = false;
	s->notes = NULL;
	s->edits = NULL;
	s->body = NULL;
	s->body_at = 0;
	buf_reset(&s->content);
}

void
subject_end_session(struct subject *s)
{
	subject_end_message(s);
	scope_end(&s->session_scope);
	s->session = false;
	s->session_notes = NULL;
}

static const char *
folded(struct subject *s, struct str domain)
{
	char name[ADDR_DOMAIN_MAX + 2];

	return pool_str(s->pool, domain_fold(domain, name, sizeof(name))).p;
}

int
subject_mail(struct subject *s, const char *from, struct err *why)
{
	struct str rest = str_c(pool_printf(s->pool, "%s%s%s",
	    from[0] == '<' ? "" : "<", from, from[0] == '<' ? "" : ">"));
	struct addr a;

	if (addr_parse_path(s->pool, &rest, ADDR_NULL_OK | ADDR_UTF8_OK, &a,
		why) < 0)
		return -1;
	s->message = true;
	s->notes = notes_copy(s->pool, s->session_notes);
	s->edits = edits_new(s->pool);
	s->fact[FACT_SENDER] = a.full.n > 0 ? a.full.p : "";
	s->fact[FACT_SENDER_LOCAL] = pool_strndup(s->pool, a.local.p,
	    a.local.n);
	s->fact[FACT_SENDER_DOMAIN] = folded(s, a.domain);
	s->fact[FACT_SENDER_MAILBOX] = addr_fold(s->pool, &a);
	s->fact[FACT_MESSAGE_QUARANTINE] = s->fact[FACT_MESSAGE_HOLD] = NULL;
	/* As the relay has it of a client that asks for it. */
	s->fact[FACT_RCPT_TLS] = s->fact[FACT_MESSAGE_REQUIRETLS] != NULL ?
	    "required-verify requiretls=yes" : NULL;
	s->fact[FACT_RCPT_ROUTE] = s->fact[FACT_RCPT_PROFILE] = NULL;
	s->fact[FACT_RCPT_BRANCH] = s->fact[FACT_RCPT_AFTER] = NULL;
	return 0;
}

int
subject_rcpt(struct subject *s, const char *to, struct err *why)
{
	struct str rest = str_c(pool_printf(s->pool, "%s%s%s",
	    to[0] == '<' ? "" : "<", to, to[0] == '<' ? "" : ">"));
	struct subject_rcpt *r = POOL_NEW(s->pool, struct subject_rcpt);

	if (s->nrcpt == SUBJECT_RCPTS)
		return err_text(why, "above %d recipients", SUBJECT_RCPTS);
	if (addr_parse_path(s->pool, &rest, ADDR_POSTMASTER_OK | ADDR_UTF8_OK,
		&r->addr, why) < 0)
		return -1;
	r->edits = edits_new(s->pool);
	s->rcpt[s->nrcpt] = r;
	return 0;
}

void
subject_rcpt_done(struct subject *s, bool taken)
{
	if (taken) {
		s->nrcpt++;
		return;
	}
	scope_end(&s->rcpt[s->nrcpt]->scope);
	s->rcpt[s->nrcpt] = NULL;
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const char *
subject_said(const struct subject *s, enum fact f, const char *own)
{
	const char *is = own != NULL ? own : s->fact[f];

	return is != NULL && is[0] != '\0' ? is : NULL;
}

int
subject_branch(struct subject *s, unsigned branch)
{
	unsigned i;

	for (i = 0; i < s->nrcpt; i++) {
		if (s->rcpt[i]->branch == branch)
			return (int)i;
	}
	return -1;
}

struct notes *
subject_notes(struct subject *s, int rcpt)
{
	struct subject_rcpt *r;

	if (rcpt < 0 && s->nbranch > 0)
		rcpt = subject_branch(s, 0);
	r = subject_at(s, rcpt);
	if (r != NULL && r->notes != NULL)
		return r->notes;
	return s->message ? s->notes : s->session_notes;
}

bool
subject_fact(const char *name, enum fact *f_r)
{
	unsigned i;

	for (i = 0; i < FACT_COUNT; i++) {
		if (strcmp(facts[i], name) == 0) {
			*f_r = (enum fact)i;
			return true;
		}
	}
	return false;
}

const char *
subject_fact_name(enum fact f)
{
	ASSERT(f < FACT_COUNT);
	return facts[f];
}

/* The recipient's bytes are those of all, edited for it. */
void
subject_header_text(struct subject *s, int rcpt, struct buf *dst)
{
	struct pool *pool = pool_new(0);
	struct header h;
	struct buf all;

	header_parse(pool, str_n(buf_p(&s->content), s->body_at),
	    HEADER_MAX / 4, &h);
	if (rcpt < 0 || (unsigned)rcpt >= s->nrcpt ||
	    edits_empty(s->rcpt[rcpt]->edits)) {
		edits_apply(s->edits, &h, 1, dst);
	} else {
		buf_init(&all, HEADER_MAX * 2);
		edits_apply(s->edits, &h, 1, &all);
		header_parse(pool, buf_str(&all), HEADER_MAX / 4, &h);
		edits_apply(s->rcpt[rcpt]->edits, &h, 1, dst);
		buf_fini(&all);
	}
	pool_destroy(&pool);
}

struct str
subject_body_of(const struct subject *s, int rcpt)
{
	if (rcpt >= 0 && (unsigned)rcpt < s->nrcpt &&
	    s->rcpt[rcpt]->body != NULL)
		return buf_str(s->rcpt[rcpt]->body);
	if (s->body != NULL)
		return buf_str(s->body);
	return str_n(buf_p(&s->content) + s->body_at,
	    buf_len(&s->content) - s->body_at);
}

/* ---- struct about_ops -------------------------------------------------- */

struct subject_rcpt *
subject_at(struct subject *s, int rcpt)
{
	return rcpt >= 0 && (unsigned)rcpt <= s->nrcpt ? s->rcpt[rcpt] : NULL;
}

/* The maximum of its own and that for all. */
static const char *
want_of(const struct subject *s, const struct subject_rcpt *r,
    struct pool *pool)
{
	const char *all = s->fact[FACT_RCPT_TLS], *both = r->tls;
	struct err why;

	if (all == NULL || both == NULL)
		return all != NULL ? all : both;
	/* Both were read before. */
	if (tlswant_raise(pool, all, r->tls, SIZE_MAX, &both, &why) < 0)
		panic("a want that was read cannot be: %s", why.text);
	return both;
}

static const char *
get_rcpt(struct subject *s, enum fact f, int n, struct pool *pool)
{
	struct subject_rcpt *r = subject_at(s, n);

	if (r == NULL)
		return f == FACT_RCPT_TLS || f == FACT_RCPT_ROUTE ||
		    f == FACT_RCPT_PROFILE ||
		    f == FACT_RCPT_BRANCH || f == FACT_RCPT_AFTER ?
		    s->fact[f] : NULL;
	switch ((int)f) {
	case FACT_RCPT:
		return r->addr.full.p;
	case FACT_RCPT_LOCAL:
		return pool_strndup(pool, r->addr.local.p, r->addr.local.n);
	case FACT_RCPT_DOMAIN:
		return folded(s, r->addr.domain);
	case FACT_RCPT_MAILBOX:
		return addr_fold(pool, &r->addr);
	case FACT_RCPT_INDEX:
		return pool_printf(pool, "%d", n);
	case FACT_RCPT_TLS:
		return want_of(s, r, pool);
	case FACT_RCPT_ROUTE:
		return r->route != NULL ? r->route : s->fact[f];
	case FACT_RCPT_PROFILE:
		return r->profile != NULL ? r->profile : s->fact[f];
	case FACT_RCPT_BRANCH:
		return subject_said(s, f, r->word);
	case FACT_RCPT_AFTER:
		return subject_said(s, f, r->after);
	case FACT_BRANCH_INDEX:
		return s->nbranch > 0 ? pool_printf(pool, "%u", r->branch) :
					NULL;
	default:
		return NULL;
	}
}

static const char *
get(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	struct subject_rcpt *r;
	struct subject *s;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	r = subject_at(s, rcpt);
	switch ((int)f) {
	case FACT_RCPT:
	case FACT_RCPT_LOCAL:
	case FACT_RCPT_DOMAIN:
	case FACT_RCPT_MAILBOX:
	case FACT_RCPT_INDEX:
	case FACT_RCPT_TLS:
	case FACT_RCPT_ROUTE:
	case FACT_RCPT_PROFILE:
	case FACT_RCPT_BRANCH:
	case FACT_RCPT_AFTER:
	case FACT_BRANCH_INDEX:
		return get_rcpt(s, f, rcpt, pool);
	case FACT_DIRECTION:
		if (s->fact[f] != NULL)
			return s->fact[f];
		return same(s->fact[FACT_CLIENT_RELAY], "yes") ? "outbound" :
								 "inbound";
	case FACT_BRANCH_COUNT:
		return s->nbranch > 0 ? pool_printf(pool, "%u", s->nbranch) :
					NULL;
	case FACT_SENDER:
	case FACT_SENDER_LOCAL:
	case FACT_SENDER_DOMAIN:
	case FACT_SENDER_MAILBOX:
		return s->message ? s->fact[f] : NULL;
	case FACT_MESSAGE_RCPTS:
		return s->message ? pool_printf(pool, "%u", s->nrcpt) : NULL;
	case FACT_MESSAGE_SIZE:
		if (s->body_at == 0)
			return s->fact[f];
		return pool_printf(pool, "%zu", buf_len(&s->content));
	case FACT_MESSAGE_QUARANTINE:
		return r != NULL && r->quarantine != NULL ? r->quarantine :
							    s->fact[f];
	case FACT_MESSAGE_HOLD:
		return r != NULL && r->hold != NULL ? r->hold : s->fact[f];
	default:
		return s->fact[f];
	}
}

static struct notes *
notes(void *arg)
{
	struct subject *s;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	return subject_notes(s, s->about);
}

static bool
notes_may(void *arg)
{
	struct subject *s;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	return s->session && s->at <= HOOK_BRANCH;
}

static unsigned
nrcpt(void *arg)
{
	struct subject *s;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	return s->nrcpt;
}

static const struct header *
header(void *arg, int rcpt)
{
	struct subject *s;
	struct header *h;
	struct buf text;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	if (s->body_at == 0)
		return NULL;
	h = POOL_NEW(s->pool, struct header);
	buf_init(&text, HEADER_MAX * 2);
	subject_header_text(s, rcpt, &text);
	header_parse(s->pool, pool_str(s->pool, buf_str(&text)),
	    HEADER_MAX / 4, h);
	buf_fini(&text);
	return h;
}

static int
edit(void *arg, int rcpt, enum edit_op op, const char *name, unsigned nth,
    const char *value, struct err *why)
{
	struct subject_rcpt *r;
	struct subject *s;
	unsigned i;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	if (s->body_at == 0 || s->at > HOOK_BRANCH)
		return err_text(why, "the header can be edited from headers "
		    "to branch");
	r = subject_at(s, rcpt);
	if (r == NULL)
		return edits_add(s->edits, op, name, nth, value, why);
	if (s->at != HOOK_BRANCH)
		return edits_add(r->edits, op, name, nth, value, why);
	for (i = 0; i < s->nrcpt; i++) {
		if (s->rcpt[i]->branch == r->branch &&
		    edits_add(s->rcpt[i]->edits, op, name, nth, value, why) < 0)
			return -1;
	}
	return 0;
}

static bool
body(void *arg, uint64_t off, struct str *piece_r)
{
	struct subject *s;
	struct str all;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	all = subject_body_of(s, -1);
	if (s->body_at == 0 || off >= all.n)
		return false;
	/* Pieces, as of a large message: what is cut at a bad place shows. */
	*piece_r = str_n(all.p + off, all.n - off < 4096 ? all.n - off : 4096);
	return true;
}

static void
fini_body(void *arg)
{
	buf_fini(arg);
}

static int
write_to(struct subject *s, struct buf **bp, const void *p, size_t n,
    struct err *why)
{
	if (*bp == NULL) {
		*bp = POOL_NEW(s->pool, struct buf);
		buf_init(*bp, BODY_MAX);
		pool_defer(s->pool, fini_body, *bp);
	}
	if (buf_add(*bp, p, n) < 0)
		return err_text(why, "the new body is too long");
	return 0;
}

static int
write_body(void *arg, int rcpt, const void *p, size_t n, struct err *why)
{
	struct subject_rcpt *r;
	struct subject *s;
	unsigned i;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	if (s->body_at == 0 || s->at > HOOK_BRANCH)
		return err_text(why, "the body cannot be written now");
	r = subject_at(s, rcpt);
	if (r == NULL)
		return write_to(s, &s->body, p, n, why);
	if (write_to(s, &r->body, p, n, why) < 0)
		return -1;
	for (i = 0; s->at == HOOK_BRANCH && i < s->nrcpt; i++) {
		if (s->rcpt[i]->branch == r->branch)
			s->rcpt[i]->body = r->body;
	}
	return 0;
}

static struct scope **
scope(void *arg, int which, int rcpt)
{
	struct subject_rcpt *r;
	struct subject *s;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	if (s->at >= HOOK_DELIVER && s->at != HOOK_DISCONNECT)
		return which == PST_MESSAGE || which == PST_RCPT ?
		    &s->event_scope : NULL;
	if (which == PST_SESSION)
		return s->session ? &s->session_scope : NULL;
	if (which == PST_MESSAGE)
		return s->message ? &s->message_scope : NULL;
	r = which == PST_RCPT ? subject_at(s, rcpt) : NULL;
	return r != NULL ? &r->scope : NULL;
}

const struct about_ops subject_ops = {
	.get = get,
	.set = subject_set,
	.notes = notes,
	.notes_set = notes_may,
	.nrcpt = nrcpt,
	.dropped = subject_dropped,
	.rcpt_add = subject_add,
	.rcpt_drop = subject_drop,
	.notify = subject_notify,
	.header = header,
	.edit = edit,
	.body = body,
	.body_write = write_body,
	.scope = scope,
};

/*
 * mime: a table (lookup/1) that answers about the message at hand: what is
 * attached to it, what text is in it, in which character sets.
 *
 * The octets are copied piece by piece on the loop, and looked at on a thread;
 * what was found stays with the message, for all who ask.
 */
#include <postern/lookup.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "look.h"
#include "scan.h"

enum {
	PIECE = 1024 * 1024, /* octets that are copied at a time */
	FIELDS = 8,	     /* of one name that are looked at */
	POLL = 20	     /* ms between two looks at another's work */
};

struct conf {
	const char *const *archives;
	const char *unreadable, *text_over, *tmp;
	int64_t parts, depth, entries, unpacked, ratio, text, cpu;
};

static const struct pst_option options[] = {
	PST_LIST(struct conf, archives, "zip 7z rar tar gz cab lha iso",
	    "kinds of archives that are opened; gz: all that compress one "
	    "file"),
	PST_CHOICE(struct conf, unreadable, "tell", "tell|fail",
	    "what cannot be looked into is told as such, or nothing is told: "
	    "whoever asks fails"),
	PST_CHOICE(struct conf, text_over, "cut", "cut|fail",
	    "what follows when there is more text than that"),
	PST_SIZE(struct conf, text, "1M", "1k..8M",
	    "of text that is kept for who asks"),
	PST_INT(struct conf, parts, "1000", "1..100000",
	    "how many parts a message may have, those of nested messages "
	    "included"),
	PST_INT(struct conf, depth, "20", "1..100",
	    "how deep parts, messages and archives may be in each other"),
	PST_INT(struct conf, entries, "5000", "1..50000",
	    "how many files its archives may have together"),
	PST_SIZE(struct conf, unpacked, "512M", "1M..64G",
	    "what may come out of its archives together"),
	PST_INT(struct conf, ratio, "250", "10..100000",
	    "how many times as large as an archive its content may be, above "
	    "1 MB"),
	PST_DURATION(struct conf, cpu, "10s", "100ms..10m",
	    "of a processor for one message"),
	PST_PATH(struct conf, tmp, "/tmp",
	    "where larger attachments are while they are looked into; they "
	    "have no names there"),
	PST_END
};

/* Of a message. */
struct mail {
	bool early;	     /* its body has not come yet */
	bool looked_at;	     /* somebody does */
	const void *body;    /* what it was when that was found */
	uint64_t size;
	struct found *found; /* NULL: nothing was */
	const char *failed;  /* or why not */
};

/* Of one who looks: octets at hand, how far it is. */
struct run {
	struct mail *mail;
	struct limits lim;
	struct look look;
	struct found *found;
	struct scan *scan;
	char *piece;
	size_t n;
	uint64_t at;
	bool last;
};

static enum pst_verdict on_get(struct pst_event *ev);
static enum pst_verdict step(struct pst_event *ev, struct run *r);

static enum pst_verdict
fail(struct pst_event *ev, const char *why)
{
	return pst_tempfail(ev, 451, "4.3.0", "%s", why);
}

static void
mail_end(void *arg)
{
	struct mail *m = arg;

	found_free(m->found);
	m->found = NULL;
}

static struct mail *
mail_of(struct pst_event *ev)
{
	return pst_data(ev, PST_MESSAGE, struct mail);
}

/* Whose body has not come yet has none, to all appearances. */
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	struct mail *m = mail_of(ev);

	if (m == NULL)
		return PST_TEMPFAIL;
	m->early = true;
	return PST_CONTINUE;
}

static enum pst_verdict
on_eom(struct pst_event *ev)
{
	struct mail *m = mail_of(ev);

	if (m == NULL)
		return PST_TEMPFAIL;
	m->early = false;
	return PST_CONTINUE;
}

/* ---- answers ----------------------------------------------------------- */

/* A copy: what was found may go before who asked has read it. */
static enum pst_verdict
answer(struct pst_event *ev, const struct pst_str *v, uint32_t n)
{
	struct pst_lookup *q = ev->arg;
	size_t room = n * sizeof(*v);
	struct pst_str *item;
	uint32_t i;
	char *p;

	for (i = 0; i < n; i++)
		room += v[i].n + 1;
	item = pst_alloc(ev, PST_EVENT, room + 1);
	if (item == NULL)
		return fail(ev, "out of memory");
	p = (char *)(item + n);
	for (i = 0; i < n; i++) {
		memcpy(p, v[i].p, v[i].n);
		p[v[i].n] = '\0';
		item[i] = (struct pst_str){ p, v[i].n };
		p += v[i].n + 1;
	}
	q->item = item;
	q->count = n;
	return PST_CONTINUE;
}

static enum pst_verdict
answer_texts(struct pst_event *ev, const struct found *f)
{
	struct pst_str *v = g_new(struct pst_str, f->texts->len + 1);
	enum pst_verdict said;
	unsigned i, n = 0;

	for (i = 0; i < f->texts->len; i++) {
		const GString *s = f->texts->pdata[i];

		if (s->len > 0)
			v[n++] = (struct pst_str){ s->str, s->len };
	}
	said = answer(ev, v, n);
	g_free(v);
	return said;
}

static enum pst_verdict
answer_rows(struct pst_event *ev, const struct found *f)
{
	unsigned i, n = f->rows->len;
	struct pst_str *v = g_new(struct pst_str, n + 1);
	GString **json = g_new(GString *, n + 1);
	enum pst_verdict said;

	for (i = 0; i < n; i++) {
		json[i] = found_json(&g_array_index(f->rows, struct row, i));
		v[i] = (struct pst_str){ json[i]->str, json[i]->len };
	}
	said = answer(ev, v, n);
	for (i = 0; i < n; i++)
		(void)g_string_free(json[i], TRUE);
	g_free(json);
	g_free(v);
	return said;
}

static enum pst_verdict
answer_words(struct pst_event *ev, const char *const *word, unsigned n)
{
	struct pst_str *v = g_new(struct pst_str, n + 1);
	enum pst_verdict said;
	unsigned i, have = 0;

	for (i = 0; i < n; i++) {
		if (word[i] != NULL)
			v[have++] = (struct pst_str){ word[i],
				strlen(word[i]) };
	}
	said = answer(ev, v, have);
	g_free(v);
	return said;
}

static enum pst_verdict
tell(struct pst_event *ev, const struct mail *m)
{
	const struct pst_lookup *q = ev->arg;
	const struct conf *c = ev->conf;
	const struct found *f = m->found;
	const char *key = q->key.p, *facts[4] = { NULL };

	if (m->failed != NULL)
		return fail(ev, m->failed);
	if (c->unreadable[0] == 'f' && (f->broken || f->limit))
		return fail(ev, f->broken ?
		    "a part of the message cannot be read" :
		    "the message is above a limit");
	if (strcmp(key, "attachments") == 0)
		return answer_rows(ev, f);
	if (strcmp(key, "text") == 0) {
		if (f->text_cut && c->text_over[0] == 'f')
			return fail(ev, "the message has too much text");
		return answer_texts(ev, f);
	}
	if (strcmp(key, "charset") == 0)
		return answer_words(ev,
		    (const char *const *)f->charsets->pdata,
		    f->charsets->len);
	if (f->broken)
		facts[0] = "broken";
	if (f->encrypted)
		facts[1] = "encrypted";
	if (f->limit)
		facts[2] = "limit";
	if (f->text_cut)
		facts[3] = "text";
	return answer_words(ev, facts, 4);
}

/* ---- looking ----------------------------------------------------------- */

static void
run_end(void *arg)
{
	struct run *r = arg;

	r->look.stop = true; /* nothing is opened here, on the loop */
	scan_free(r->scan);
	found_free(r->found);
	free(r->piece);
	r->mail->looked_at = false;
}

/* On a thread. */
static int
work(void *arg)
{
	struct run *r = arg;

	look_begin(&r->look);
	scan_feed(r->scan, r->piece, r->n);
	if (r->last)
		scan_end(r->scan);
	look_end(&r->look);
	return 0;
}

static void
read_header(struct pst_event *ev, struct head *h)
{
	static const char *const names[] = { "Content-Type",
		"Content-Disposition", "Content-Transfer-Encoding" };
	const char *value;
	unsigned i, nth;

	for (i = 0; i < 3; i++) {
		for (nth = 0; nth < FIELDS; nth++) {
			value = pst_header_nth(ev, names[i], nth);
			if (value == NULL)
				break;
			head_add(h, names[i], strlen(names[i]), value,
			    strlen(value));
		}
	}
}

static void
set_limits(struct limits *lim, const struct conf *c)
{
	lim->parts = c->parts;
	lim->depth = c->depth;
	lim->entries = c->entries;
	lim->unpacked = c->unpacked;
	lim->ratio = c->ratio;
	lim->text = c->text;
	lim->cpu = c->cpu;
	lim->tmp = c->tmp;
	lim->archives = c->archives;
}

static struct run *
run_new(struct pst_event *ev, struct mail *m)
{
	struct run *r = pst_data(ev, PST_EVENT, struct run);
	struct head h;

	if (r == NULL)
		return NULL;
	r->mail = m;
	m->looked_at = true;
	pst_defer(ev, PST_EVENT, run_end, r);
	set_limits(&r->lim, ev->conf);
	r->found = found_new();
	look_init(&r->look, &r->lim, r->found);
	head_init(&h);
	read_header(ev, &h);
	r->scan = scan_new_body(&r->look, 0, "", entity_new(&h,
	    "text/plain"));
	head_fini(&h);
	r->piece = malloc(m->size < PIECE ? (size_t)m->size + 1 : PIECE);
	return r->piece != NULL ? r : NULL;
}

static void
count(struct pst_event *ev, const struct run *r)
{
	pst_count(ev, "messages_total");
	pst_count_by(ev, "attachments_total", r->found->rows->len);
	if (r->look.failed != NULL)
		pst_count(ev, "failed_total");
	if (r->found->limit)
		pst_count(ev, "limits_total");
	if (r->found->broken)
		pst_count(ev, "broken_total");
	if (r->found->encrypted)
		pst_count(ev, "encrypted_total");
	pst_gauge(ev, "library_messages", (int64_t)look_glib_messages());
}

static enum pst_verdict
worked(struct pst_event *ev, const struct pst_result *res)
{
	struct run *r = pst_data(ev, PST_EVENT, struct run);
	struct mail *m;

	if (r == NULL || res->status != PST_OK)
		return fail(ev, res->error != NULL ? res->error :
		    "out of memory");
	if (!r->last && !r->look.stop)
		return step(ev, r);
	m = r->mail;
	count(ev, r);
	found_free(m->found);
	m->found = r->found;
	m->failed = r->look.failed;
	r->found = NULL;
	return tell(ev, m);
}

static enum pst_verdict
step(struct pst_event *ev, struct run *r)
{
	struct pst_str s;
	size_t n;

	r->n = 0;
	while (r->n < PIECE && r->at < r->mail->size) {
		uint64_t at = r->at;

		if (!pst_body(ev, &at, &s))
			return fail(ev, "the body ends before its end");
		n = s.n < PIECE - r->n ? s.n : PIECE - r->n;
		if (n > r->mail->size - r->at)
			n = (size_t)(r->mail->size - r->at);
		memcpy(r->piece + r->n, s.p, n);
		r->n += n;
		r->at += n;
	}
	r->last = r->at == r->mail->size;
	return pst_offload(ev, work, r, worked);
}

/* What is the body now? Another plugin may have written a new one. */
static void
measure(struct pst_event *ev, const void **body_r, uint64_t *size_r)
{
	struct pst_str s;

	*body_r = NULL;
	for (*size_r = 0; pst_body(ev, size_r, &s);) {
		if (*body_r == NULL)
			*body_r = s.p;
	}
}

static enum pst_verdict
waited(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	return on_get(ev);
}

static enum pst_verdict
on_get(struct pst_event *ev)
{
	static const char *const keys[] = { "attachments", "text", "charset",
		"facts" };
	const struct pst_lookup *q = ev->arg;
	struct mail *m;
	struct run *r;
	const void *body;
	uint64_t size;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(q->key.p, keys[i]) == 0)
			break;
	}
	if (i == sizeof(keys) / sizeof(keys[0]))
		return fail(ev, "it knows attachments, text, charset and "
		    "facts");
	m = mail_of(ev);
	if (m == NULL || m->early)
		return fail(ev, m == NULL ? "there is no message here" :
		    "the message is not there yet");
	if (m->looked_at)
		return pst_timer(ev, POLL, waited);
	measure(ev, &body, &size);
	if (m->found != NULL && m->body == body && m->size == size)
		return tell(ev, m);
	if (m->found == NULL && m->body == NULL)
		pst_defer(ev, PST_MESSAGE, mail_end, m);
	m->body = body;
	m->size = size;
	r = run_new(ev, m);
	return r != NULL ? step(ev, r) : fail(ev, "out of memory");
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	(void)ev;
	look_setup();
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK_AT(PST_ON_MAIL, on_mail, .before = "lua"),
	PST_HOOK_AT(PST_ON_EOM, on_eom, .before = "lua"),
	PST_HOOK(PST_LOOKUP_GET, on_get),
	PST_END
};

static const char *
check(const void *arg)
{
	static const char *const kinds[] = { "zip", "7z", "rar", "tar", "gz",
		"cab", "lha", "iso" };
	const struct conf *c = arg;
	const char *const *p;
	size_t i;

	for (p = c->archives; *p != NULL; p++) {
		for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(*p, kinds[i]) == 0)
				break;
		}
		if (i == sizeof(kinds) / sizeof(kinds[0]))
			return "archives: the kinds are zip, 7z, rar, tar, gz, "
			    "cab, lha and iso";
	}
	return NULL;
}

PST_PLUGIN(mime, .version = "1.0",
    .summary = "attachments, text and character sets of the message at hand",
    .license = "MIT", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf), .check = check);

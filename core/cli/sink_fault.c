#include "cli/sink_fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "mail/addr.h"
#include "net/sock.h"

enum { ENDS = 1 << 0, CODE = 1 << 1 };

struct fault {
	const char *word;
	enum sink_slot slot;
	unsigned flags;
	const char *text;
};

static const struct fault faults[FAULTS] = {
	[FAULT_NONE] = { "", SLOT_ROAD, 0, "" },
#define FAULT(id, word, slot, flags, text)                                     \
	[FAULT_##id] = { word, SLOT_##slot, flags, text },
#include "tbl/faults.h"
#undef FAULT
};

static int add_one(struct sink_words *w, char *text, struct err *why);
static int
add_word(struct sink_words *w, const struct sink_word *word, struct err *why);
static int split_count(
    struct str text, struct str *word_r, uint64_t *count_r, struct err *why);
static bool find_fault(struct str text, struct sink_word *word_r);
static const struct sink_word *
acting(const struct sink_words *w, enum sink_slot slot, uint64_t n);
static const struct sink_word *
in_its_way(const struct sink_words *w, const struct sink_word *word);
static const char *word_text(const struct sink_word *word, char *dst, size_t n);

/* Cuts the text up. */
int
sink_words_add(struct sink_words *w, char *text, struct err *why)
{
	char *next;

	while (text != NULL && *text != '\0') {
		next = strchr(text, ',');
		if (next != NULL)
			*next++ = '\0';
		if (add_one(w, text, why) < 0)
			return -1;
		text = next;
	}
	return 0;
}

int
sink_words_add_kind(struct sink_words *w, struct str text, struct err *why)
{
	struct sink_word word = { .slot = SLOT_CERT };
	struct str kind;

	if (split_count(text, &kind, &word.count, why) < 0)
		return -1;
	if (certlab_kind_parse(kind, &word.kind) < 0)
		return err_text(
		    why, "%.*s is no kind of certificate", STR_FMT(kind));
	return add_word(w, &word, why);
}

int
sink_words_add_key(struct sink_words *w, struct str text, struct err *why)
{
	if (w->keyed)
		return err_text(why, "one kind of key is enough");
	if (certlab_key_parse(text, &w->key) < 0)
		return err_text(why, "%.*s is no kind of key", STR_FMT(text));
	w->keyed = true;
	return 0;
}

int
sink_words_add_name(struct sink_words *w, const char *name, struct err *why)
{
	struct sock_addr a;

	if (!domain_valid(str_c(name), false) &&
	    sock_addr_ip(str_c(name), 0, &a, NULL) < 0)
		return err_text(why, "%s is no name of a host", name);
	if (w->names == SINK_NAMES)
		return err_text(why, "too many names");
	w->name[w->names++] = name;
	w->name[w->names] = NULL;
	return 0;
}

void
sink_words_default(struct sink_words *w, const struct sink_words *common)
{
	bool has_kind = false;
	unsigned i;

	for (i = 0; i < w->n; i++)
		has_kind = has_kind || w->word[i].slot == SLOT_CERT;
	for (i = 0; !has_kind && i < common->n; i++) {
		if (common->word[i].slot == SLOT_CERT && w->n < SINK_WORDS)
			w->word[w->n++] = common->word[i];
	}
	if (!w->keyed) {
		w->keyed = common->keyed;
		w->key = common->key;
	}
	if (w->names == 0) {
		memcpy(w->name, common->name, sizeof(w->name));
		w->names = common->names;
	}
}

int
sink_words_check(const struct sink_words *w, struct err *why)
{
	const struct sink_word *other;
	char text[32], text2[32];
	unsigned i;

	for (i = 0; i < w->n; i++) {
		other = in_its_way(w, &w->word[i]);
		if (other != NULL)
			return err_text(why, "%s has no effect beside %s",
			    word_text(&w->word[i], text, sizeof(text)),
			    word_text(other, text2, sizeof(text2)));
	}
	return 0;
}

bool
sink_words_tls(const struct sink_words *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++) {
		if (w->word[i].slot == SLOT_ROAD ||
		    w->word[i].slot == SLOT_VERSION)
			return true;
	}
	return sink_words_cert(w);
}

bool
sink_words_cert(const struct sink_words *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++) {
		if (w->word[i].slot == SLOT_CERT)
			return true;
	}
	return w->keyed || w->names > 0;
}

void
sink_words_at(const struct sink_words *w, uint64_t n, struct sink_setting *s_r)
{
	const struct sink_word *word;

	*s_r = (struct sink_setting){ .kind = CERTLAB_GOOD };
	word = acting(w, SLOT_ROAD, n);
	if (word != NULL) {
		s_r->road = word->fault;
		s_r->road_code = word->code;
	}
	word = acting(w, SLOT_VERSION, n);
	if (word != NULL)
		s_r->version = word->fault;
	word = acting(w, SLOT_CERT, n);
	if (word != NULL)
		s_r->kind = word->kind;
	word = acting(w, SLOT_MAIL, n);
	if (word != NULL)
		s_r->mail_code = word->code;
	word = acting(w, SLOT_RCPT, n);
	if (word != NULL)
		s_r->rcpt_code = word->code;
}

uint64_t
sink_words_next(const struct sink_words *w, uint64_t n)
{
	uint64_t next = 0;
	unsigned i;

	for (i = 0; i < w->n; i++) {
		if (w->word[i].count > n &&
		    (next == 0 || w->word[i].count < next))
			next = w->word[i].count;
	}
	return next;
}

const char *
sink_fault_text(enum sink_fault fault, unsigned code, char *dst, size_t n)
{
	(void)str_copy(dst, n, str_c(faults[fault].word));
	if ((faults[fault].flags & CODE) != 0)
		(void)snprintf(dst, n, "%s%03u", faults[fault].word, code);
	return dst;
}

bool
sink_fault_ends(enum sink_fault fault)
{
	return (faults[fault].flags & ENDS) != 0;
}

void
sink_fault_help(struct buf *dst)
{
	const char *code;
	unsigned i;

	(void)buf_add_c(
	    dst, "Faults; WORD:N for the first N connections only:\n");
	for (i = 1; i < FAULTS; i++) {
		code = (faults[i].flags & CODE) != 0 ? "CODE" : "";
		(void)buf_printf(dst, "  %s%-*s %s\n", faults[i].word,
		    (int)(14 - strlen(faults[i].word)), code, faults[i].text);
	}
	(void)buf_add_c(dst, "Certificates:\n");
	for (i = 0; i < CERTLAB_KINDS; i++)
		(void)buf_printf(dst, "  %-14s %s\n",
		    certlab_kind_word((enum certlab_kind)i),
		    certlab_kind_text((enum certlab_kind)i));
}

static int
add_one(struct sink_words *w, char *text, struct err *why)
{
	struct sink_word word = { .slot = SLOT_ROAD };
	struct str rest;

	if (strncmp(text, "cert=", 5) == 0)
		return sink_words_add_kind(w, str_c(text + 5), why);
	if (strncmp(text, "key=", 4) == 0)
		return sink_words_add_key(w, str_c(text + 4), why);
	if (strncmp(text, "name=", 5) == 0)
		return sink_words_add_name(w, text + 5, why);
	if (split_count(str_c(text), &rest, &word.count, why) < 0)
		return -1;
	if (!find_fault(rest, &word))
		return err_text(
		    why, "%.*s is no fault; see --help", STR_FMT(rest));
	return add_word(w, &word, why);
}

static int
add_word(struct sink_words *w, const struct sink_word *word, struct err *why)
{
	if (w->n == SINK_WORDS)
		return err_text(why, "too many faults");
	w->word[w->n++] = *word;
	return 0;
}

static int
split_count(
    struct str text, struct str *word_r, uint64_t *count_r, struct err *why)
{
	size_t at = str_find(text, ':');

	*word_r = str_n(text.p, at);
	if (at == text.n)
		return 0;
	if (num_u64(str_n(text.p + at + 1, text.n - at - 1), UINT32_MAX,
		count_r) < 0 ||
	    *count_r == 0)
		return err_text(
		    why, "%.*s: no number of connections", STR_FMT(text));
	return 0;
}

static bool
find_fault(struct str text, struct sink_word *word_r)
{
	uint64_t code;
	unsigned i;
	size_t n;

	for (i = 1; i < FAULTS; i++) {
		n = strlen(faults[i].word);
		word_r->fault = (enum sink_fault)i;
		word_r->slot = faults[i].slot;
		if ((faults[i].flags & CODE) == 0) {
			if (str_ieq_c(text, faults[i].word))
				return true;
			continue;
		}
		if (text.n == n + 3 && str_istarts(text, faults[i].word) &&
		    num_u64(str_n(text.p + n, 3), 599, &code) == 0 &&
		    code >= 400) {
			word_r->code = (unsigned)code;
			return true;
		}
	}
	return false;
}

/* That with the fewest connections has its turn first. */
static const struct sink_word *
acting(const struct sink_words *w, enum sink_slot slot, uint64_t n)
{
	const struct sink_word *best = NULL, *word;
	unsigned i;

	for (i = 0; i < w->n; i++) {
		word = &w->word[i];
		if (word->slot != slot ||
		    (word->count != 0 && word->count <= n))
			continue;
		if (best == NULL ||
		    (word->count != 0 &&
			(best->count == 0 || word->count < best->count)))
			best = word;
	}
	return best;
}

/* NULL: there is a connection on which the word acts. */
static const struct sink_word *
in_its_way(const struct sink_words *w, const struct sink_word *word)
{
	const struct sink_word *other, *road;
	uint64_t n = 0;
	bool first = true;

	for (other = NULL; first || n != 0; n = sink_words_next(w, n)) {
		first = false;
		other = acting(w, word->slot, n);
		if (other != word)
			continue;
		road = acting(w, SLOT_ROAD, n);
		if (road == NULL || !sink_fault_ends(road->fault) ||
		    (word->slot != SLOT_VERSION && word->slot != SLOT_CERT))
			return NULL;
		other = road;
	}
	return other != NULL ? other : acting(w, word->slot, 0);
}

static const char *
word_text(const struct sink_word *word, char *dst, size_t n)
{
	if (word->fault == FAULT_NONE)
		(void)snprintf(
		    dst, n, "cert=%s", certlab_kind_word(word->kind));
	else
		(void)sink_fault_text(word->fault, word->code, dst, n);
	return dst;
}

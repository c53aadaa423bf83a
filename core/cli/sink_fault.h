/*
 * What one address of the sink does wrong, and on which connections: words such
 * as "st454", "220-hang:2" (the first two connections only), "cert=expired",
 * "key=rsa", "name=mx.example" (tbl/faults.h, tbl/certkinds.h).
 */
#ifndef CLI_SINK_FAULT_H
#define CLI_SINK_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "tls/certlab.h"

enum sink_fault {
	FAULT_NONE,
#define FAULT(id, word, slot, flags, text) FAULT_##id,
#include "tbl/faults.h"
#undef FAULT
	FAULTS
};

/* Of one slot one word acts at a time. */
enum sink_slot {
	SLOT_ROAD,    /* what happens on the way to TLS */
	SLOT_VERSION, /* what TLS there is */
	SLOT_CERT,
	SLOT_MAIL,
	SLOT_RCPT,
	SLOTS
};

enum { SINK_WORDS = 16, SINK_NAMES = 16 };

struct sink_word {
	enum sink_slot slot;
	enum sink_fault fault; /* NONE: kind counts */
	enum certlab_kind kind;
	unsigned code;
	uint64_t count; /* connections it acts on; 0: all */
};

struct sink_words {
	struct sink_word word[SINK_WORDS];
	unsigned n;
	bool keyed; /* key was given */
	enum certlab_key key;
	const char *name[SINK_NAMES + 1]; /* NULL behind the last */
	unsigned names;
};

/* What holds for one connection. */
struct sink_setting {
	enum sink_fault road, version;
	unsigned road_code;
	enum certlab_kind kind;
	unsigned mail_code, rcpt_code; /* 0: none */
};

/* A list with commas; text must stay. */
int sink_words_add(struct sink_words *w, char *text, struct err *why);
/* One word of a kind that is known: "expired:1". */
int sink_words_add_kind(struct sink_words *w, struct str text, struct err *why);
int sink_words_add_key(struct sink_words *w, struct str text, struct err *why);
int sink_words_add_name(struct sink_words *w, const char *name,
    struct err *why);
/* Adds what only `common` has of certificates. */
void sink_words_default(struct sink_words *w, const struct sink_words *common);
/* -1 if a word could never act. */
int sink_words_check(const struct sink_words *w, struct err *why);
/* Is there a word about TLS, about a certificate, among them? */
bool sink_words_tls(const struct sink_words *w);
bool sink_words_cert(const struct sink_words *w);
/* For connection n, the first is 0. */
void sink_words_at(const struct sink_words *w, uint64_t n,
    struct sink_setting *s_r);
/* The first connection after n for which something else holds; 0: none. */
uint64_t sink_words_next(const struct sink_words *w, uint64_t n);
/* "st454", for people; dst is returned. */
const char *sink_fault_text(enum sink_fault fault, unsigned code, char *dst,
    size_t n);
/* TLS is never reached with it. */
bool sink_fault_ends(enum sink_fault fault);
/* The part of --help about faults and kinds. */
void sink_fault_help(struct buf *dst);

#endif

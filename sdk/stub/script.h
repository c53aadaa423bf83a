/*
 * A script of posternstub: lines of text made into statements.
 *
 * A line is a statement: blanks separate words, "..." (with \n \r \t \" \\ and
 * \xNN in it) keeps them together and may stand anywhere in a word, '#' at the
 * front of a word begins a comment. KEY=VALUE words are taken apart. /.../ is
 * a regular expression (PCRE) behind "~", "->" and where `expect` looks for
 * lines. Behind "->" stands the verdict that is expected. An unquoted "%/"
 * or "%" at the front of a word, value or item is a folder or an address.
 */
#ifndef STUB_SCRIPT_H
#define STUB_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/plugin.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "outside.h"

#define SCRIPT_MAX (1024 * 1024) /* octets */
#define SCRIPT_LINE_MAX 65536
#define SCRIPT_REGEX_MAX 1000

enum word_id {
#define WORD(id, word, min, max, step, usage) WORD_##id,
#include "words.h"
#undef WORD
	WORD_COUNT
};

struct regex;

struct script_word {
	const char *s;	 /* all of it */
	const char *key; /* of KEY=VALUE, else NULL */
	const char *value;
	bool quoted;	 /* some of it was; it is a string then */
	struct regex *regex;
};

/* What is expected of a step. */
struct script_want {
	bool given, never;
	enum pst_verdict verdict;
	int code;	      /* 0: any */
	const char *enhanced; /* NULL: any */
	const struct script_word *text; /* NULL: any */
};

struct stmt {
	enum word_id id;
	int line;
	const char *text; /* as it was written, trimmed */
	const struct script_word *word; /* behind the first */
	unsigned n;
	struct script_want want;
	struct stmt *next;
};

struct script {
	const char *file;
	const struct stmt *first;
	const struct outside *outside;
	bool chaos; /* it has a `chaos` */
	struct pool *pool;
};

/* "FILE:LINE: ..." in why. All of it lives in pool, but outside. */
int script_parse(struct script *s_r, struct pool *pool, const char *file,
    const struct outside *outside, struct str text, struct err *why);
/* The last `plugin`; or NULL. */
const struct stmt *script_last_plugin(const struct script *script);
const char *script_usage(enum word_id id);
const char *script_id(enum word_id id);
const char *script_verdict(enum pst_verdict v);
/* Value of a key, NULL: it is not there. */
const char *stmt_key(const struct stmt *s, const char *key);
/* Does it occur in text? Too much work for a match is none. */
bool regex_in(const struct regex *r, struct str text);

#endif

/*
 * One look into a message: what it found, and what it may cost.
 *
 * Everything behind this header runs on a thread of pst_offload() and knows
 * nothing of the host: octets of the message come in pieces (scan_feed()), what
 * was found is in struct found. All of it is bounded by struct limits. Memory
 * is GLib's, which ends the process when there is none; since every length is
 * bounded before, that is the machine's want, not the message's size.
 *
 *	scan	  header and boundaries of parts, nested messages
 *	field	  what header fields say: types, names, character sets (GMime)
 *	leaf	  transfer decoding of one part
 *	content	  what was decoded: its row, is it text, a message, an archive?
 *	text	  to UTF-8, HTML to text, uuencoded files in it
 *	spool	  octets that must be read again, in memory or a nameless file
 *	unpack	  archives (libarchive)
 *	tnef	  winmail.dat
 */
#ifndef MIME_LOOK_H
#define MIME_LOOK_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits {
	int64_t parts;	  /* of the message, nested ones included */
	int64_t depth;	  /* of parts, messages and archives in each other */
	int64_t entries;  /* of all archives */
	int64_t unpacked; /* octets out of all archives */
	int64_t ratio;	  /* of an archive's content to its size */
	int64_t text;	  /* octets of text that are kept */
	int64_t cpu;	  /* milliseconds of a processor */
	const char *tmp;  /* folder for nameless files */
	const char *const *archives; /* kinds that are opened, then NULL */
};

/* Why something was not looked into. */
#define WHY_BROKEN "broken"
#define WHY_LIMIT "limit"
#define WHY_UNKNOWN "unknown"

struct row {
	char *name, *type, *archive; /* UTF-8; "": none */
	uint64_t size;		     /* octets, decoded */
	bool encrypted;
	const char *unreadable; /* WHY_…, or NULL */
};

struct found {
	GArray *rows;	     /* of struct row */
	GPtrArray *texts;    /* of GString */
	GPtrArray *charsets; /* of char */
	size_t text;	     /* octets of all texts */
	bool text_cut, limit, broken, encrypted;
};

struct look {
	const struct limits *lim;
	struct found *found;
	int64_t parts, entries, unpacked;
	int64_t cpu;	    /* milliseconds left */
	int64_t cpu_mark;   /* of the thread, when the piece began */
	unsigned since;	    /* octets since that was looked at */
	bool stop;	    /* nothing more is looked at */
	const char *failed; /* the look as a whole is worth nothing */
};

/* Once per process, before all else, on the loop; what GLib has to say is
 * counted instead of printed from now on. */
void look_setup(void);
uint64_t look_glib_messages(void);

void look_init(struct look *k, const struct limits *lim, struct found *f);
void look_begin(struct look *k); /* a piece begins on this thread */
void look_end(struct look *k);	 /* it ends */
/* n octets were worked on; false: stop. */
bool look_spend(struct look *k, size_t n);

struct found *found_new(void);
void found_free(struct found *f);
size_t found_octets(const struct found *f);
/* The number of the new row; type and archive are copied, name is cleaned: the
 * last part of a path, without what is not shown. */
unsigned found_row(struct found *f, const char *name, const char *type,
    const char *archive);
struct row *found_at(struct found *f, unsigned row);
void found_unreadable(struct found *f, unsigned row, const char *why);
void found_encrypted(struct found *f, unsigned row);
void found_charset(struct found *f, const char *charset);
GString *found_json(const struct row *r);
/* What the row's contents name as their archive: "outer.zip/inner.zip". */
char *path_in(const struct row *r);
/* UTF-8 whatever it was. */
char *clean_name(const char *name);

#endif

/*
 * What the header fields of a part say.
 *
 * Programs disagree about fields that are there twice or are badly written,
 * and whoever hides a file makes use of that. So a part has every name that
 * anything in it could be read as.
 */
#ifndef MIME_FIELD_H
#define MIME_FIELD_H

#include <gmime/gmime.h>
#include <stdbool.h>

/* Unfolded values, in order. */
struct head {
	GPtrArray *type, *disposition; /* of char */
	char *encoding;
	size_t octets;
	bool over; /* there was more than is kept */
};

enum { HEAD_OCTETS = 131072 };

void head_init(struct head *h);
void head_clear(struct head *h); /* as new */
void head_fini(struct head *h);
/* A field, folded or not; others than the three are passed over. */
void head_add(struct head *h, const char *name, size_t nname,
    const char *value, size_t n);
bool head_wants(const char *name, size_t n);

struct entity {
	char *type;	  /* lower case, "text/plain" */
	char *boundary;	  /* or NULL */
	char *charset;	  /* or NULL */
	GPtrArray *names; /* of char; may be empty */
	GMimeContentEncoding encoding;
	bool attachment; /* it says so, or has a name */
	bool enveloped;	 /* S/MIME: nobody can look into it */
	bool over;	 /* its header was too long */
};

/* dflt: the type of one that has none. */
struct entity *entity_new(const struct head *h, const char *dflt);
/* Of a file, whatever its name says. */
struct entity *entity_of_file(const char *name);
void entity_free(struct entity *e);
bool entity_is(const struct entity *e, const char *prefix);

#endif

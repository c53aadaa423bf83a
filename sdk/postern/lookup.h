/*
 * postern/lookup.h - lookup/1: tables that others ask by name.
 *
 * "lookup/1.get": the values of a key. May wait. An instance is a table, its
 * name the table's. PST_CONTINUE: count values (0: there is no such key);
 * PST_TEMPFAIL: not now, with pst_tempfail()'s text as the reason.
 *
 * The event is about what the asker's event is about: a table can read facts,
 * header and body of that message, and nothing can be changed. So a table may
 * have answers about the message itself (the plugin mime: "attachments").
 */
#ifndef POSTERN_LOOKUP_H
#define POSTERN_LOOKUP_H

#include <postern/plugin.h>

#define PST_LOOKUP_GET "lookup/1.get" /* struct pst_lookup */

struct pst_lookup {
	uint32_t size;
	struct pst_str key;
	uint32_t count;		    /* out */
	const struct pst_str *item; /* out, in memory of event or instance */
	uint32_t ttl;		    /* out: seconds it holds; 0: not known */
};

#endif

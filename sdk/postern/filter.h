/*
 * postern/filter.h - filter/1: reads the content while it comes.
 *
 * "filter/1.begin" before the first octet (behind "data"), "filter/1.chunk" for
 * each piece in order, header included, "filter/1.end" behind the last, just
 * before "eom" and with the same verdicts. Each may wait: reading from the
 * client rests meanwhile. A begin or chunk that says other than PST_CONTINUE
 * ends the filter for this message; PST_REJECT, PST_TEMPFAIL, PST_DISCARD and
 * PST_QUARANTINE hold at the end of the data, PST_DISCONNECT is a fault. A
 * filter that was begun and not ended (client gone) is not told: use
 * pst_defer().
 */
#ifndef POSTERN_FILTER_H
#define POSTERN_FILTER_H

#include <postern/plugin.h>

#define PST_FILTER_BEGIN "filter/1.begin"
#define PST_FILTER_CHUNK "filter/1.chunk" /* struct pst_chunk */
#define PST_FILTER_END "filter/1.end"

struct pst_chunk {
	uint32_t size;
	uint64_t offset;
	struct pst_str data; /* p[n] need not be 0 here */
};

#endif

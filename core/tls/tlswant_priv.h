/*
 * What the files of tlswant share: tlswant.c has levels and keys,
 * tlswant_text.c the text form, tlswant_max.c the maximum, tlspin.c the pins.
 */
#ifndef TLS_TLSWANT_PRIV_H
#define TLS_TLSWANT_PRIV_H

#include "tls/tlswant.h"

enum {
	TLSWANT_TEXT_MAX = 16384, /* of one want */
	TLSWANT_NAMES_MAX = 100,
	TLSWANT_PINS_MAX = 64
};

/* tlspin.c: the pins that both lists demand at each moment, in one order, each
 * key's windows merged; where they agree on none, one that nothing meets. A
 * list that is silent at a moment demands nothing then. nb 0: a in that form.
 */
struct tlspin *tlspin_meet(const struct tlspin *a, unsigned na,
    const struct tlspin *b, unsigned nb, unsigned *n_r, struct pool *pool);
/* The pin that nothing meets, whatever the time. */
struct tlspin tlspin_impossible(void);

/* tlswant_max.c: in one order, none twice, none below another with a dot. */
const char *const *tlswant_names(
    const char *const *names, struct pool *pool);
/* Is it one that no certificate meets, ever? */
bool tlswant_impossible(const struct tlswant *w);
/* Makes it the one of its level; nothing else about certificates counts. */
void tlswant_despair(struct tlswant *w, struct pool *pool);

#endif

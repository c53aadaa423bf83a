#include "tls/tlsreason.h"

#include "base/die.h"

static const struct reason {
	const char *word, *type, *status, *text;
} reasons[] = { { "", "", "", "" },
#define TLS_REASON(id, word, type, status, text) { word, type, status, text },
#include "tbl/reasons.h"
#undef TLS_REASON
};

static const struct reason *
find(enum tls_reason r)
{
	ASSERT((unsigned)r < TLSR_COUNT);
	return &reasons[r];
}

const char *
tls_reason_word(enum tls_reason r)
{
	return find(r)->word;
}

const char *
tls_reason_type(enum tls_reason r)
{
	return find(r)->type;
}

const char *
tls_reason_status(enum tls_reason r)
{
	return find(r)->status;
}

const char *
tls_reason_text(enum tls_reason r)
{
	return find(r)->text;
}

enum tls_reason
tls_reason_find(struct str word)
{
	unsigned i;

	for (i = TLSR_NONE + 1; i < TLSR_COUNT; i++) {
		if (str_eq_c(word, reasons[i].word))
			return (enum tls_reason)i;
	}
	return TLSR_NONE;
}

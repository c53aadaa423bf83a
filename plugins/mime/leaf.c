/*
 * One part's transfer encoding, by GMime's decoders.
 */
#include "content.h"

enum { PIECE = 8192 };

struct leaf {
	struct look *k;
	struct content *content;
	GMimeEncoding decoder;
	bool decodes;
};

struct leaf *
leaf_new(struct look *k, unsigned depth, const char *archive,
    const struct entity *e)
{
	struct leaf *l = g_new0(struct leaf, 1);

	l->k = k;
	l->content = content_new(k, depth, archive, e);
	l->decodes = e->encoding == GMIME_CONTENT_ENCODING_BASE64 ||
	    e->encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
	if (l->decodes)
		g_mime_encoding_init_decode(&l->decoder, e->encoding);
	if (e->enveloped)
		content_encrypted(l->content);
	return l;
}

void
leaf_feed(struct leaf *l, const char *p, size_t n)
{
	char out[PIECE + 16]; /* decoders keep three octets at most */
	size_t take, len;

	if (!l->decodes) {
		if (n > 0 && look_spend(l->k, n))
			content_feed(l->content, p, n);
		return;
	}
	for (; n > 0 && look_spend(l->k, n < PIECE ? n : PIECE); n -= take) {
		take = n < PIECE ? n : PIECE;
		len = g_mime_encoding_step(&l->decoder, p, take, out);
		content_feed(l->content, out, len);
		p += take;
	}
}

void
leaf_end(struct leaf *l)
{
	char out[16];
	size_t len;

	if (l == NULL)
		return;
	if (l->decodes) {
		len = g_mime_encoding_flush(&l->decoder, "", 0, out);
		content_feed(l->content, out, len);
	}
	content_end(l->content);
	g_free(l);
}

void
leaf_free(struct leaf *l)
{
	if (l == NULL)
		return;
	content_free(l->content);
	g_free(l);
}

#include "daemon/tickets.h"

#include <string.h>

#include "base/codec.h"
#include "base/rand.h"

#define KEY_MAX (sizeof(((struct tls_ticket_keys *)0)->key[0]))
#define RING (sizeof(((struct tls_ticket_keys *)0)->key) / KEY_MAX)

void
tickets_init(struct tls_ticket_keys *k)
{
	k->n = 0;
	tickets_turn(k);
}

void
tickets_turn(struct tls_ticket_keys *k)
{
	memmove(k->key[1], k->key[0], (RING - 1) * KEY_MAX);
	rand_bytes(k->key[0], KEY_MAX);
	if (k->n < RING)
		k->n++;
}

json_t *
tickets_pack(const struct tls_ticket_keys *k)
{
	json_t *v = json_array();
	struct buf text;
	unsigned i;

	buf_init(&text, 2 * KEY_MAX);
	for (i = 0; i < k->n; i++) {
		buf_reset(&text);
		(void)base64_encode(&text, str_n((const char *)k->key[i],
		    KEY_MAX));
		(void)json_array_append_new(v, json_string(buf_p(&text)));
	}
	buf_fini(&text);
	return json_pack("{s:s, s:o}", "type", "tickets", "keys", v);
}

int
tickets_unpack(struct tls_ticket_keys *k_r, const json_t *msg)
{
	const json_t *v = json_object_get(msg, "keys");
	struct tls_ticket_keys k = { .n = (unsigned)json_array_size(v) };
	const char *text;
	struct buf key;
	unsigned i;
	int r = k.n > 0 && k.n <= RING ? 0 : -1;

	for (i = 0; r == 0 && i < k.n; i++) {
		text = json_string_value(json_array_get(v, i));
		buf_init(&key, KEY_MAX);
		if (text == NULL || base64_decode(&key, str_c(text)) != 0 ||
		    buf_len(&key) != KEY_MAX)
			r = -1;
		else
			memcpy(k.key[i], buf_p(&key), KEY_MAX);
		buf_fini(&key);
	}
	if (r == 0)
		*k_r = k;
	return r;
}

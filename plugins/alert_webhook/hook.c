#include "hook.h"

#include <jansson.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
hook_json(const struct pst_alert_record *r, uint64_t times)
{
	char *text;
	json_t *j;

	j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "severity",
	    r->severity, "class", r->category, "key", r->key, "host", r->host,
	    "text", r->text, "detail", r->detail, "time_ms",
	    (json_int_t)r->wall, "gathered", (json_int_t)times);
	if (j == NULL)
		return NULL;
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

void
hook_sign(char dst[HOOK_SIGNATURE], const char *secret, const char *body)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx ctx;
	size_t i;

	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, strlen(body), (const uint8_t *)body);
	hmac_sha256_digest(&ctx, sizeof(sum), sum);
	(void)snprintf(dst, HOOK_SIGNATURE, "sha256=");
	for (i = 0; i < sizeof(sum); i++)
		(void)snprintf(dst + 7 + 2 * i, 3, "%02x", sum[i]);
}

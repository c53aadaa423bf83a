#include "hook.h"

#include <jansson.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
put_episode(json_t *j, const struct pst_alert_record *r)
{
	return json_object_set_new(j, "episode", json_pack("{s:I, s:s, s:s, "
	    "s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "number", (json_int_t)r->episode, "state", r->state, "domain",
	    r->domain, "cause", r->cause, "reason", r->reason, "mx", r->mx,
	    "ip", r->ip, "attempts", (json_int_t)r->attempts, "held",
	    (json_int_t)r->held, "delivered", (json_int_t)r->delivered,
	    "bounced", (json_int_t)r->bounced, "first_ms",
	    (json_int_t)r->first, "last_ms", (json_int_t)r->last,
	    "resolved_ms", (json_int_t)r->resolved, "oldest_ms",
	    (json_int_t)r->oldest, "deadline_ms", (json_int_t)r->deadline));
}

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
	if (PST_ALERT_HAS(r, deadline) && r->state != NULL &&
	    r->state[0] != '\0' &&
	    put_episode(j, r) != 0) {
		json_decref(j);
		return NULL;
	}
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

#include "daemon/factwords.h"

#include <inttypes.h>

const char *
fact_number(struct pool *pool, uint64_t n)
{
	return pool_printf(pool, "%" PRIu64, n);
}

const char *
fact_truth(bool is)
{
	return is ? "yes" : "no";
}

const char *
fact_text(struct pool *pool, struct str s)
{
	return s.n > 0 ? pool_str(pool, s).p : NULL;
}

/* Its own, not what the listener says by the way. */
const char *
fact_profile(struct pool *pool, const struct rcpt *r)
{
	return r->profile.n > 0 && r->profile.p[0] == '?' ? NULL :
	    fact_text(pool, r->profile);
}

const char *
fact_domain(struct pool *pool, struct str s)
{
	char folded[ADDR_DOMAIN_MAX + 2];

	return s.n == 0 ? NULL :
	    pool_str(pool, domain_fold(s, folded, sizeof(folded))).p;
}

const char *
fact_tls(const struct tls_info *t, enum fact f, struct pool *pool)
{
	if (t == NULL)
		return NULL;
	switch ((int)f) {
	case FACT_TLS_VERSION:
		return pool_strdup(pool, t->version);
	case FACT_TLS_CIPHER:
		return pool_strdup(pool, t->cipher);
	case FACT_TLS_BITS:
		return fact_number(pool, (uint64_t)t->bits);
	case FACT_TLS_RESUMED:
		return fact_truth(t->resumed);
	case FACT_TLS_CERT:
		return t->fingerprint[0] == '\0' ? "none" :
		    t->verified ? "verified" : "unverified";
	case FACT_TLS_CERT_SHA256:
		return fact_text(pool, str_c(t->fingerprint));
	case FACT_TLS_CERT_WHY:
		return fact_text(pool, str_c(t->verify_why));
	}
	return NULL;
}

const char *
fact_envelope(const struct envelope *env, enum fact f, struct pool *pool)
{
	switch ((int)f) {
	case FACT_SENDER:
		return pool_str(pool, env->sender.full).p;
	case FACT_SENDER_LOCAL:
		return fact_text(pool, env->sender.local);
	case FACT_SENDER_DOMAIN:
		return fact_domain(pool, env->sender.domain);
	case FACT_SENDER_MAILBOX:
		return addr_fold(pool, &env->sender);
	case FACT_MESSAGE_QUEUED:
		return fact_number(pool, (uint64_t)env->queued / 1000);
	case FACT_MESSAGE_SMTPUTF8:
		return fact_truth((env->flags & ENV_SMTPUTF8) != 0);
	case FACT_MESSAGE_REQUIRETLS:
		return fact_truth((env->flags & ENV_REQUIRETLS) != 0);
	case FACT_MESSAGE_8BIT:
		return fact_truth((env->flags & ENV_8BITMIME) != 0);
	case FACT_MESSAGE_ENVID:
		return fact_text(pool, env->envid);
	}
	return NULL;
}

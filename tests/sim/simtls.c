/*
 * TLS by a word of the scenario, with the outcomes of smtp/smtpc_tls.c.
 */
#include "tests/sim/sim.h"

#include <string.h>

#include "tls/tlsfail.h"

static enum simtls refused(const struct smtpc_conf *conf,
    enum tls_reason reason, int code, enum smtpc_step step,
    struct smtpc_reply *r_r);
static enum simtls failed(const struct smtpc_conf *conf, const char *word,
    struct tls_failure *failure, struct smtpc_reply *r_r);

const char *
simtls_step_name(enum tls_step step)
{
	static const char *const names[TLS_STEPS] = { "full", "classic",
		"tls12", "rsa" };

	return names[step];
}

enum simtls
simtls_play(const struct smtpc_conf *conf, const char *word,
    struct tls_info *info, struct tls_failure *failure,
    struct smtpc_reply *r_r)
{
	enum tlswant_level level = conf->want.level;
	bool clear_ok = tlswant_clear_ok(level);
	bool good = strcmp(word, "good") == 0;

	r_r->tls_reason = TLSR_NONE;
	if (level == TLSWANT_NONE || (conf->avoid_tls && clear_ok))
		return SIMTLS_CLEAR;
	if (word[0] == '\0' || strcmp(word, "none") == 0 ||
	    strcmp(word, "noehlo") == 0) {
		if (clear_ok)
			return SIMTLS_CLEAR;
		return refused(conf, strcmp(word, "noehlo") == 0 ?
		    TLSR_NO_ESMTP : TLSR_NO_STARTTLS, 0, SMTPC_AT_EHLO, r_r);
	}
	if (strcmp(word, "masked") == 0)
		return refused(conf, TLSR_BLOCKED, 0, SMTPC_AT_EHLO, r_r);
	if (strcmp(word, "refused") == 0)
		return refused(conf, TLSR_REFUSED, 454, SMTPC_AT_STARTTLS,
		    r_r);
	if (strcmp(word, "cut") == 0) {
		(void)refused(conf, TLSR_BLOCKED, 0, SMTPC_AT_STARTTLS, r_r);
		r_r->fail = SMTPC_FAIL_LOST;
		return SIMTLS_END;
	}
	if (good || strcmp(word, "unverified") == 0) {
		if (!good && level == TLSWANT_REQUIRED_VERIFY)
			return failed(conf, "untrusted", failure, r_r);
		*info = (struct tls_info){ .version = "TLSv1.3",
			.cipher = "TLS_AES_256_GCM_SHA384",
			.group = "", .sni = "",
			.peer_cert = true,
			.verified = good && tlswant_verifies(level),
			.matched = good ? "them.example" : "",
			.verify_why = good ? "" : "untrusted",
			.matched_by = good ? "san:domain" : "",
			.names = "",
			.reason = good ? TLSR_NONE : TLSR_UNTRUSTED };
		return SIMTLS_UP;
	}
	return failed(conf, word, failure, r_r);
}

static enum simtls
refused(const struct smtpc_conf *conf, enum tls_reason reason, int code,
    enum smtpc_step step, struct smtpc_reply *r_r)
{
	*r_r = (struct smtpc_reply){ .code = code, .step = step,
		.fail = SMTPC_FAIL_TLS_REFUSED, .tls_reason = reason };
	(void)str_copy(r_r->enh, sizeof(r_r->enh),
	    str_c(tls_reason_status(reason)));
	r_r->text = str_c(tls_reason_text(reason));
	if (code != 0)
		r_r->said = STR("not now");
	return tlswant_clear_ok(conf->want.level) ? SIMTLS_CLEAR : SIMTLS_END;
}

static enum simtls
failed(const struct smtpc_conf *conf ATTR_UNUSED, const char *word,
    struct tls_failure *failure, struct smtpc_reply *r_r)
{
	enum tls_reason reason;

	for (reason = TLSR_NONE + 1; reason < TLSR_COUNT; reason++)
		if (strcmp(tls_reason_word(reason), word) == 0)
			break;
	if (reason == TLSR_COUNT)
		fatal("scenario: no such TLS: %s", word);
	tls_failure_set(failure, reason, tls_reason_text(reason));
	*r_r = (struct smtpc_reply){ .step = SMTPC_AT_HANDSHAKE,
		.fail = SMTPC_FAIL_TLS, .tls_reason = reason,
		.tls_begun = true, .tls_failure = failure };
	(void)str_copy(r_r->enh, sizeof(r_r->enh),
	    str_c(tls_reason_status(reason)));
	r_r->text = str_c(tls_reason_text(reason));
	return SIMTLS_END;
}

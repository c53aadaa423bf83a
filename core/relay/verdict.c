#include "relay/verdict.h"

#include <stdio.h>

#include "mail/status.h"

static void
set(struct verdict *v, enum qresult result, const struct smtpc_reply *r,
    const char *status)
{
	v->result = result;
	v->code = r->code;
	if (r->enh[0] != '\0')
		status = r->enh;
	else if (status == NULL)
		status = status_default(r->code);
	(void)snprintf(v->status, sizeof(v->status), "%s", status);
}

/* Temporary, whatever class the peer's own code has. */
static void
set_retry(struct verdict *v, const struct smtpc_reply *r, const char *status)
{
	set(v, QRESULT_RETRY, r, status);
	if (v->status[0] != '4')
		(void)snprintf(v->status, sizeof(v->status), "%s",
		    status != NULL ? status : "4.0.0");
}

static bool
before_mail(enum smtpc_step step)
{
	return step < SMTPC_AT_MAIL;
}

static void
of_answer(const struct smtpc_reply *r, unsigned accepted, struct verdict *v)
{
	int class = r->code / 100;

	if (r->step == SMTPC_AT_RCPT && accepted > 0 &&
	    (r->code == 452 || r->code == 552)) {
		set(v, QRESULT_AGAIN, r, "4.5.3");
		return;
	}
	if (before_mail(r->step) || r->code == 421) {
		set_retry(v, r, r->code == 421 ? "4.3.2" : "4.4.0");
		v->host = true;
		return;
	}
	if (class == 2) {
		set(v, QRESULT_DONE, r, NULL);
		return;
	}
	if (class == 5 && r->code != 552) {
		set(v, QRESULT_BOUNCE, r, NULL);
		return;
	}
	if (class == 5) { /* 552: size or quota, but too many at RCPT */
		if (r->step == SMTPC_AT_RCPT && r->enh[0] == '\0')
			set_retry(v, r, "4.5.3");
		else
			set(v, QRESULT_BOUNCE, r, NULL);
		return;
	}
	set_retry(v, r, NULL);
}

void
verdict_of_reply(const struct smtpc_reply *r, unsigned accepted,
    struct verdict *v_r)
{
	memset(v_r, 0, sizeof(*v_r));
	v_r->tls = r->tls_reason;
	switch (r->fail) {
	case SMTPC_FAIL_NONE:
		of_answer(r, accepted, v_r);
		return;
	case SMTPC_FAIL_DEMAND:
		set(v_r, QRESULT_BOUNCE, r, "5.6.0");
		return;
	case SMTPC_FAIL_NETWORK:
		set_retry(v_r, r, "4.4.1");
		break;
	case SMTPC_FAIL_LOST:
	case SMTPC_FAIL_TIMEOUT:
		set_retry(v_r, r, "4.4.2");
		break;
	case SMTPC_FAIL_PROTOCOL:
		set_retry(v_r, r, "4.5.0");
		break;
	case SMTPC_FAIL_TLS:
		set_retry(v_r, r, "4.7.5");
		break;
	case SMTPC_FAIL_TLS_REFUSED:
		set_retry(v_r, r, "4.7.4");
		break;
	case SMTPC_FAIL_AUTH:
		set_retry(v_r, r, "4.7.8");
		break;
	case SMTPC_FAIL_SOURCE: /* ours: no other host would help */
		set_retry(v_r, r, "4.3.0");
		return;
	}
	v_r->host = true;
}

void
verdict_of_mx(const struct mx_result *mx, struct verdict *v_r)
{
	const char *status = "4.4.3";

	memset(v_r, 0, sizeof(*v_r));
	v_r->result = QRESULT_RETRY;
	switch (mx->status) {
	case MX_OK: /* hosts, but no address of any of them */
	case MX_FAIL:
		break;
	case MX_NULL:
		v_r->result = QRESULT_BOUNCE;
		status = "5.1.10";
		break;
	case MX_NXDOMAIN:
	case MX_NOHOST:
		v_r->result = QRESULT_BOUNCE;
		status = "5.1.2";
		break;
	}
	(void)snprintf(v_r->status, sizeof(v_r->status), "%s", status);
}

const char *
verdict_reason(const struct smtpc_reply *r)
{
	switch (r->fail) {
	case SMTPC_FAIL_NONE:
	case SMTPC_FAIL_DEMAND:
	case SMTPC_FAIL_PROTOCOL:
	case SMTPC_FAIL_AUTH:
		return "unexpected SMTP response";
	case SMTPC_FAIL_NETWORK:
	case SMTPC_FAIL_LOST:
	case SMTPC_FAIL_SOURCE:
		return "network error";
	case SMTPC_FAIL_TIMEOUT:
		return "timeout";
	case SMTPC_FAIL_TLS_REFUSED:
		return r->said.n > 0 ? "unexpected SMTP response" :
		    "TLS error";
	case SMTPC_FAIL_TLS:
		return "TLS error";
	}
	panic("reply of kind %d", (int)r->fail);
}

/*
 * AUTH PLAIN and LOGIN (RFC 4954, RFC 4616), inside TLS only.
 */
#include "smtp/smtpd_priv.h"

#include "base/codec.h"
#include "base/mem.h"

#define NAME_MAX_OCTETS 255

static void plain(struct smtpd *s, struct str text);
static void user_name(struct smtpd *s, struct str text);
static void ask(struct smtpd *s, struct str user, struct str pass);
static void
failed(struct smtpd *s, int code, const char *enh, const char *text);

static bool
known(struct str mech)
{
	return str_ieq_c(mech, "PLAIN") || str_ieq_c(mech, "LOGIN");
}

int
smtpd_auth_check(struct smtpd *s, struct str arg, struct err *why)
{
	struct str mech;

	if (!s->conf->auth)
		return err_set(why, 502, "5.5.1", "Command not implemented");
	if (!s->tls_up && smtpd_tls_offered(s))
		return err_set(why, 538, "5.7.11",
		    "Encryption required for authentication");
	if (!s->tls_up)
		return err_set(why, 502, "5.5.1", "Command not implemented");
	if (!s->facts.esmtp)
		return err_set(why, 503, "5.5.1", "Send EHLO first");
	if (s->facts.auth != NULL)
		return err_set(why, 503, "5.5.1", "Already authenticated");
	if (!str_word(&arg, &mech))
		return err_set(why, 501, "5.5.4", "Syntax: AUTH mechanism");
	if (!known(mech))
		return err_set(why, 504, "5.5.4", "Mechanism not supported");
	arg = str_trim(arg);
	if (str_find(arg, ' ') < arg.n)
		return err_set(
		    why, 501, "5.5.4", "Syntax: AUTH mechanism [response]");
	s->auth_plain = str_ieq_c(mech, "PLAIN");
	s->auth_initial = arg;
	return 0;
}

void
smtpd_auth_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	struct str initial = s->auth_initial;

	(void)v;
	s->auth_initial = STR_NULL;
	smtpd_set_state(s, ST_AUTH);
	if (initial.n > 0) {
		if (str_eq_c(initial, "=")) /* RFC 4954 4: an empty one */
			initial = str_n(initial.p, 0);
		smtpd_auth_line(s, initial);
	} else if (s->auth_plain) {
		smtpd_say(s, "334 ");
	} else {
		smtpd_say(s, "334 VXNlcm5hbWU6");
	}
}

void
smtpd_auth_line(struct smtpd *s, struct str line)
{
	struct buf text;

	if (str_eq_c(line, "*")) {
		failed(s, 501, "5.0.0", "Authentication cancelled");
		return;
	}
	/* All the room it can need at once, so that no copy of a password is
	 * left behind by growing. */
	buf_init(&text, CMDLINE_AUTH_MAX);
	(void)buf_room(&text, line.n + 1);
	if (base64_decode(&text, line) < 0)
		failed(s, 501, "5.5.2", "Cannot decode response");
	else if (s->auth_plain)
		plain(s, buf_str(&text));
	else if (s->auth_user == NULL)
		user_name(s, buf_str(&text));
	else
		ask(s, str_c(s->auth_user), buf_str(&text));
	if (text.mem != NULL)
		explicit_bzero(text.mem, text.cap);
	buf_fini(&text);
}

static bool
name_valid(struct str user)
{
	size_t i;

	for (i = 0; i < user.n; i++) {
		unsigned char c = (unsigned char)user.p[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	return user.n > 0 && user.n <= NAME_MAX_OCTETS && utf8_valid(user);
}

/* [authzid] NUL authcid NUL passwd */
static void
plain(struct smtpd *s, struct str text)
{
	struct str zid, user;

	zid = str_n(text.p, str_find(text, '\0'));
	if (zid.n == text.n) {
		failed(s, 501, "5.5.2", "Malformed response");
		return;
	}
	text = str_n(text.p + zid.n + 1, text.n - zid.n - 1);
	user = str_n(text.p, str_find(text, '\0'));
	if (user.n == text.n || !name_valid(user)) {
		failed(s, 501, "5.5.2", "Malformed response");
		return;
	}
	text = str_n(text.p + user.n + 1, text.n - user.n - 1);
	if (str_find(text, '\0') < text.n) {
		failed(s, 501, "5.5.2", "Malformed response");
		return;
	}
	if (zid.n > 0 && !str_eq(zid, user)) {
		failed(s, 535, "5.7.8", "Authentication credentials invalid");
		return;
	}
	s->auth_user = mem_strndup(user.p, user.n);
	ask(s, str_c(s->auth_user), text);
}

static void
user_name(struct smtpd *s, struct str text)
{
	if (!name_valid(text)) {
		failed(s, 501, "5.5.2", "Malformed response");
		return;
	}
	s->auth_user = mem_strndup(text.p, text.n);
	smtpd_say(s, "334 UGFzc3dvcmQ6");
}

static void
ask(struct smtpd *s, struct str user, struct str pass)
{
	struct smtpd_verdict v = { .act = SMTPD_REFUSE };
	enum smtpd_step step = SMTPD_NOW;

	if (s->ops->auth != NULL)
		step = s->ops->auth(s->arg, user, pass, &v);
	if (step == SMTPD_WAIT)
		smtpd_ask(s, ASKED_AUTH);
	else
		smtpd_resume(s, ASKED_AUTH, &v);
}

void
smtpd_auth_answered(struct smtpd *s, const struct smtpd_verdict *v)
{
	struct smtpd_verdict no = *v;

	if (v->act == SMTPD_OK) {
		s->facts.auth = s->auth_user;
		s->auth_user = NULL;
		smtpd_set_state(s, ST_READY);
		smtpd_said_yes(s, v, "235 2.7.0 Authentication successful");
		return;
	}
	if (no.reply.code == 0)
		(void)err_set(&no.reply, 535, "5.7.8",
		    "Authentication credentials invalid");
	smtpd_auth_cancel(s);
	smtpd_refused(s, &no);
}

static void
failed(struct smtpd *s, int code, const char *enh, const char *text)
{
	struct err why;

	(void)err_set(&why, code, enh, "%s", text);
	smtpd_auth_cancel(s);
	smtpd_error(s, &why);
}

void
smtpd_auth_cancel(struct smtpd *s)
{
	mem_free(s->auth_user);
	s->auth_user = NULL;
	if (s->state == ST_AUTH)
		smtpd_set_state(s, ST_READY);
}

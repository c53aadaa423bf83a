/*
 * SMTP AUTH against relay.users and the table relay.user_table. Hashing a
 * password takes long on purpose, so it is done on the auxiliary thread, with
 * copies of what it needs.
 */
#include "daemon/inbound_priv.h"

#include <crypt.h>
#include <string.h>

#include <postern/lookup.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"

#define AUTH_MAGIC 0x1b0d0004u
#define WAITING_MAX 64
#define NOBODY "$6$nobodyatall$" /* is the beginning of no hash */

struct auth {
	unsigned magic;
	struct session *s;
	char *password, *hash;
	bool known; /* the user exists */
	bool ok;
};

/* While its table is asked. */
struct asked_user {
	char *user, *password;
	struct pst_lookup q;
};

static enum smtpd_step not_now(struct smtpd_verdict *);
static enum smtpd_step ask_table(struct session *, struct str, struct str,
		    struct smtpd_verdict *);
static enum smtpd_step table_said(struct session *, const struct op_answer *,
		    struct smtpd_verdict *);
static enum smtpd_step check(struct session *, struct str, struct str);
static void	auth_work(void *);
static void	auth_done(void *);
static void	wipe(char *);

enum smtpd_step
session_auth(void *arg, struct str user, struct str pass,
    struct smtpd_verdict *v)
{
	const struct conf_user *u = NULL;
	struct session *s;
	unsigned i;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (offload_pending(s->in->w.aux) > WAITING_MAX)
		return not_now(v);
	for (i = 0; i < s->conf->nuser; i++) {
		if (str_eq_c(user, s->conf->user[i].name))
			u = &s->conf->user[i];
	}
	if (u == NULL && s->conf->relay.user_table[0] != '\0')
		return ask_table(s, user, pass, v);
	return check(s, u != NULL ? str_c(u->hash) : STR_NULL, pass);
}

static enum smtpd_step
not_now(struct smtpd_verdict *v)
{
	v->act = SMTPD_REFUSE;
	(void)err_set(&v->reply, 454, "4.7.0",
	    "Temporary authentication failure");
	return SMTPD_NOW;
}

/* ---- users of a table ---- */

static enum smtpd_step
ask_table(struct session *s, struct str user, struct str pass,
    struct smtpd_verdict *v)
{
	const char *name = s->conf->relay.user_table;
	struct instance *i;
	struct asked_user *q;

	for (i = op_next(s->conf->plugins, PST_LOOKUP_GET, NULL); i != NULL &&
	     strcmp(instance_name(i), name) != 0;)
		i = op_next(s->conf->plugins, PST_LOOKUP_GET, i);
	if (i == NULL) {
		log_warning("relay: user_table: %s is no table", name);
		return not_now(v);
	}
	session_auth_forget(s);
	s->asked_user = q = mem_zalloc(sizeof(*q));
	q->user = mem_strndup(user.p, user.n);
	q->password = mem_strndup(pass.p, pass.n);
	q->q.size = sizeof(q->q);
	q->q.key = (struct pst_str){ q->user, user.n };
	return session_op(s, i, PST_LOOKUP_GET, -1, &q->q, table_said, v);
}

void
session_auth_forget(struct session *s)
{
	if (s->asked_user == NULL)
		return;
	wipe(s->asked_user->user);
	wipe(s->asked_user->password);
	mem_free(s->asked_user);
	s->asked_user = NULL;
}

/* A table that does not answer refuses for now, whoever it is. */
static enum smtpd_step
table_said(struct session *s, const struct op_answer *a,
    struct smtpd_verdict *v)
{
	struct asked_user *q = s->asked_user;
	enum smtpd_step step;
	struct str hash = STR_NULL;

	if (a->verdict != PST_CONTINUE) {
		log_warning("ICID %llu: table %s: %s",
		    (unsigned long long)s->icid, s->conf->relay.user_table,
		    a->reply.text);
		session_auth_forget(s);
		return not_now(v);
	}
	if (q->q.count > 0)
		hash = str_n(q->q.item[0].p, q->q.item[0].n);
	step = check(s, hash, str_c(q->password));
	session_auth_forget(s);
	return step;
}

/* ---- the password ---- */

/* A stranger (hash STR_NULL) costs as much as somebody we know. */
static enum smtpd_step
check(struct session *s, struct str hash, struct str pass)
{
	struct auth *a;

	OBJ_NEW(a, AUTH_MAGIC);
	a->s = s;
	a->known = hash.n > 0;
	if (!a->known)
		hash = s->conf->nuser > 0 ? str_c(s->conf->user[0].hash) :
					    STR(NOBODY);
	a->hash = mem_strndup(hash.p, hash.n);
	a->password = mem_strndup(pass.p, pass.n);
	s->waiting = true;
	s->busy++;
	offload_submit(s->in->w.aux, auth_work, auth_done, a);
	return SMTPD_WAIT;
}

static void
auth_work(void *arg)
{
	struct crypt_data *data;
	const char *result;
	unsigned char differ = 0;
	struct auth *a;
	size_t i, n;

	OBJ_CAST(a, arg, AUTH_MAGIC);
	data = mem_zalloc(sizeof(*data));
	result = crypt_r(a->password, a->hash, data);
	n = strlen(a->hash);
	if (result != NULL && result[0] != '*' && strlen(result) == n) {
		for (i = 0; i < n; i++)
			differ |= (unsigned char)(result[i] ^ a->hash[i]);
		a->ok = differ == 0 && a->known;
	}
	explicit_bzero(data, sizeof(*data));
	mem_free(data);
}

static void
auth_done(void *arg)
{
	struct session *s;
	struct auth *a;

	OBJ_CAST(a, arg, AUTH_MAGIC);
	s = a->s;
	if (a->ok) {
		session_answer(s, SMTPD_OK, 0, "", "");
	} else {
		log_info("ICID %llu authentication failed",
		    (unsigned long long)s->icid);
		session_answer(s, SMTPD_REFUSE, 535, "5.7.8",
		    "Authentication credentials invalid");
	}
	wipe(a->password);
	wipe(a->hash);
	OBJ_FREE(a);
	session_done(s);
}

static void
wipe(char *text)
{
	explicit_bzero(text, strlen(text));
	mem_free(text);
}

/*
 * SMTP AUTH against relay.users. Hashing a password takes long on purpose, so
 * it is done on the auxiliary thread, with copies of what it needs.
 */
#include "daemon/inbound_priv.h"

#include <crypt.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"

#define AUTH_MAGIC 0x1b0d0004u
#define WAITING_MAX 64

struct auth {
	unsigned magic;
	struct session *s;
	char *password, *hash;
	bool known; /* the user exists */
	bool ok;
};

static void	auth_work(void *);
static void	auth_done(void *);
static void	wipe(char *);

enum smtpd_step
session_auth(void *arg, struct str user, struct str pass,
    struct smtpd_verdict *v)
{
	const struct conf_user *u = NULL;
	struct session *s;
	struct auth *a;
	unsigned i;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (offload_pending(s->in->w.aux) > WAITING_MAX ||
	    s->conf->nuser == 0) {
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 454, "4.7.0",
		    "Temporary authentication failure");
		return SMTPD_NOW;
	}
	for (i = 0; i < s->conf->nuser; i++) {
		if (str_eq_c(user, s->conf->user[i].name))
			u = &s->conf->user[i];
	}
	OBJ_NEW(a, AUTH_MAGIC);
	a->s = s;
	a->known = u != NULL;
	/* A stranger costs as much as somebody we know. */
	a->hash = mem_strdup(u != NULL ? u->hash : s->conf->user[0].hash);
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

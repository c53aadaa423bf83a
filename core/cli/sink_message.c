#include "cli/sink_message.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sys.h"
#include "mail/header.h"

enum { NAME_MAX_LEN = 4096, SHOWN = 200 };

static void temporary(const struct sink_file *f, char *dst, size_t n);
static void add_clean(struct buf *dst, struct str s);
static void add_subject(struct buf *dst, const struct bodyin *facts);
static void add_flags(struct buf *dst, unsigned flags);
static void add_tls(struct buf *dst, const struct tls_info *tls);
static void add_tls_json(struct buf *dst, const struct tls_info *tls);
static void add_pair(struct buf *dst, const char *name, struct str value);
static struct str subject_of(struct pool *pool, const struct bodyin *facts);

int
sink_file_open(struct sink_file *f, const char *dir, struct err *why)
{
	char name[NAME_MAX_LEN];

	f->dir = mem_strdup(dir);
	f->failed = false;
	temporary(f, name, sizeof(name));
	f->fd = sys_open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (f->fd >= 0)
		return 0;
	mem_free(f->dir);
	return err_errno(why, "%s", name);
}

void
sink_file_add(struct sink_file *f, const char *p, size_t n)
{
	if (f->fd >= 0 && !f->failed && sys_write_all(f->fd, p, n) < 0)
		f->failed = true;
}

int
sink_file_keep(struct sink_file *f, uint64_t number, char *name_r, size_t n,
    struct err *why)
{
	char name[NAME_MAX_LEN], kept[NAME_MAX_LEN];
	int result = 0;

	temporary(f, name, sizeof(name));
	(void)snprintf(
	    kept, sizeof(kept), "%s/%06" PRIu64 ".eml", f->dir, number);
	if (f->failed)
		result = err_set(why, 452, "4.3.1", "cannot write %s", name);
	else if (sys_rename(name, kept) < 0)
		result = err_errno(why, "%s", kept);
	if (result < 0) {
		sink_file_drop(f);
		return -1;
	}
	file_close(&f->fd);
	mem_free(f->dir);
	(void)str_copy(name_r, n, str_c(kept));
	return 0;
}

void
sink_file_drop(struct sink_file *f)
{
	char name[NAME_MAX_LEN];

	if (f->fd < 0)
		return;
	temporary(f, name, sizeof(name));
	(void)sys_unlink(name);
	file_close(&f->fd);
	mem_free(f->dir);
}

/* Unique among the files that are open in all processes. */
static void
temporary(const struct sink_file *f, char *dst, size_t n)
{
	(void)snprintf(
	    dst, n, "%s/.%ld-%p.tmp", f->dir, (long)getpid(), (const void *)f);
}

void
sink_message_text(const struct sink_message *m, struct buf *dst)
{
	unsigned i;

	(void)buf_printf(dst, "message %" PRIu64 " from %s, %s ", m->number,
	    m->peer, m->esmtp ? "EHLO" : "HELO");
	add_clean(dst, m->helo);
	add_tls(dst, m->tls);
	(void)buf_add_c(dst, "\n  from    <");
	add_clean(dst, m->env->sender.full);
	(void)buf_add_char(dst, '>');
	add_flags(dst, m->env->flags);
	for (i = 0; i < m->env->nrcpt; i++) {
		(void)buf_add_c(dst, "\n  to      <");
		add_clean(dst, m->env->rcpt[i]->addr.full);
		(void)buf_add_char(dst, '>');
	}
	(void)buf_printf(dst, "\n  size    %" PRIu64 " octets\n", m->size);
	add_subject(dst, m->facts);
	if (m->file != NULL)
		(void)buf_printf(dst, "  file    %s\n", m->file);
	(void)buf_add_char(dst, '\n');
}

void
sink_message_json(const struct sink_message *m, struct buf *dst)
{
	struct pool *pool = pool_new(0);
	unsigned i;

	(void)buf_printf(dst,
	    "{\"message\":%" PRIu64 ",\"connection\":%" PRIu64
	    ",\"local\":\"%s\",\"peer\":\"%s\"",
	    m->number, m->connection, m->local, m->peer);
	add_pair(dst, "helo", m->helo);
	(void)buf_printf(dst, ",\"esmtp\":%s", m->esmtp ? "true" : "false");
	add_tls_json(dst, m->tls);
	add_pair(dst, "from", m->env->sender.full);
	(void)buf_add_c(dst, ",\"to\":[");
	for (i = 0; i < m->env->nrcpt; i++) {
		if (i > 0)
			(void)buf_add_char(dst, ',');
		(void)json_quote(dst, m->env->rcpt[i]->addr.full);
	}
	(void)buf_printf(dst,
	    "],\"size\":%" PRIu64 ",\"eightbit\":%s,"
	    "\"smtputf8\":%s,\"requiretls\":%s",
	    m->size, m->facts->eightbit ? "true" : "false",
	    (m->env->flags & ENV_SMTPUTF8) != 0 ? "true" : "false",
	    (m->env->flags & ENV_REQUIRETLS) != 0 ? "true" : "false");
	add_pair(dst, "message_id", buf_str(&m->facts->message_id));
	add_pair(dst, "subject", subject_of(pool, m->facts));
	if (m->file != NULL)
		add_pair(dst, "file", str_c(m->file));
	(void)buf_add_c(dst, "}\n");
	pool_destroy(&pool);
}

static void
add_pair(struct buf *dst, const char *name, struct str value)
{
	(void)buf_printf(dst, ",\"%s\":", name);
	(void)json_quote(dst, value);
}

/* A terminal must not be told what to do by a stranger. */
static void
add_clean(struct buf *dst, struct str s)
{
	(void)log_clean(dst, s, SHOWN, true);
}

static void
add_tls(struct buf *dst, const struct tls_info *tls)
{
	if (tls == NULL) {
		(void)buf_add_c(dst, ", in clear");
		return;
	}
	(void)buf_printf(
	    dst, ", %s %s (%d bits)", tls->version, tls->cipher, tls->bits);
	if (tls->resumed)
		(void)buf_add_c(dst, ", resumed");
	if (tls->sni[0] != '\0') {
		(void)buf_add_c(dst, "\n  sni     ");
		add_clean(dst, str_c(tls->sni));
	}
	if (tls->peer_cert)
		(void)buf_printf(
		    dst, "\n  client certificate sha256 %s", tls->fingerprint);
}

static void
add_tls_json(struct buf *dst, const struct tls_info *tls)
{
	if (tls == NULL) {
		(void)buf_add_c(dst, ",\"tls\":null");
		return;
	}
	(void)buf_printf(dst,
	    ",\"tls\":{\"version\":\"%s\",\"cipher\":\"%s\",\"bits\":%d"
	    ",\"group\":\"%s\",\"resumed\":%s",
	    tls->version, tls->cipher, tls->bits, tls->group,
	    tls->resumed ? "true" : "false");
	add_pair(dst, "sni", str_c(tls->sni));
	if (tls->peer_cert)
		(void)buf_printf(
		    dst, ",\"client_certificate\":\"%s\"}", tls->fingerprint);
	else
		(void)buf_add_c(dst, ",\"client_certificate\":null}");
}

static struct str
subject_of(struct pool *pool, const struct bodyin *facts)
{
	return header_unfold(pool, buf_str(&facts->subject));
}

static void
add_subject(struct buf *dst, const struct bodyin *facts)
{
	struct pool *pool = pool_new(0);

	(void)buf_add_c(dst, "  subject ");
	add_clean(dst, subject_of(pool, facts));
	(void)buf_add_char(dst, '\n');
	pool_destroy(&pool);
}

static void
add_flags(struct buf *dst, unsigned flags)
{
	if ((flags & ENV_8BITMIME) != 0)
		(void)buf_add_c(dst, " BODY=8BITMIME");
	if ((flags & ENV_SMTPUTF8) != 0)
		(void)buf_add_c(dst, " SMTPUTF8");
	if ((flags & ENV_REQUIRETLS) != 0)
		(void)buf_add_c(dst, " REQUIRETLS");
	if ((flags & ENV_RET_FULL) != 0)
		(void)buf_add_c(dst, " RET=FULL");
	if ((flags & ENV_RET_HDRS) != 0)
		(void)buf_add_c(dst, " RET=HDRS");
}

/*
 * TLS of a configuration: wants of destinations, contexts of listeners and of
 * delivery.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "policy/conf_priv.h"
#include "tls/selfsign.h"

static int	listener_tls(struct conf *, struct conf_listener *,
		    const struct conf_reader *, const char *, struct err *);

void
conf_build_destinations(struct conf *c)
{
	struct relay_destination *v;
	unsigned i;

	v = pool_alloc(c->pool, (c->ndestination + 1) * sizeof(*v));
	for (i = 0; i < c->ndestination; i++) {
		v[i].name = c->destination[i].name;
		v[i].tls = c->destination[i].tls;
	}
	c->relay_conf.destination = v;
	c->relay_conf.ndestination = c->ndestination;
}

bool
conf_wants_selfsigned(const struct conf *c)
{
	const struct conf_listener *l;
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		l = &c->listener[i];
		if (l->cert[0] == '\0' && c->top.tls_selfsigned &&
		    (l->tls != SMTPD_TLS_OFF || l->implicit_tls))
			return true;
	}
	return false;
}

int
conf_tls(struct conf *c, const struct conf_reader *reader,
    const char *selfsigned, struct err *why)
{
	struct tlsctx_conf client = { .ca_file = c->delivery.ca_file };
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		if (listener_tls(c, &c->listener[i], reader, selfsigned,
			why) != 0)
			return err_prefix(why, "%s: listener \"%s\": ",
			    c->file, c->listener[i].name);
	}
	if (client.ca_file[0] == '\0' || access(client.ca_file, F_OK) != 0)
		client.ca_file = NULL; /* nobody is trusted then */
	if (tlsctx_new(&c->relay_conf.tlsctx, &client, why) != 0)
		return err_prefix(why, "%s: delivery: ", c->file);
	return 0;
}

static int
listener_tls(struct conf *c, struct conf_listener *l,
    const struct conf_reader *reader, const char *selfsigned, struct err *why)
{
	struct tlsctx_conf t = { .server = true };

	if (l->tls == SMTPD_TLS_OFF && !l->implicit_tls)
		return 0;
	if (l->cert[0] != '\0') {
		t.cert_file = reader->path(reader->arg, c->pool, l->cert);
		t.key_file = l->key[0] == '\0' ? t.cert_file :
		    reader->path(reader->arg, c->pool, l->key);
	} else if (c->top.tls_selfsigned && selfsigned != NULL) {
		t.cert_file = t.key_file = selfsigned;
	} else if (l->tls == SMTPD_TLS_REQUIRED || l->implicit_tls) {
		return err_text(why, "TLS is demanded, but there is no cert");
	} else {
		return 0;
	}
	if (l->client_ca[0] != '\0')
		t.ca_file = reader->path(reader->arg, c->pool, l->client_ca);
	t.request_client_cert = t.ca_file != NULL ||
	    c->relay.certificates[0] != NULL;
	return tlsctx_new(&l->smtpd.tlsctx, &t, why);
}

int
conf_tls_try(struct conf *c, const struct conf_reader *reader, struct err *why)
{
	char path[32];
	struct buf pem;
	int fd, r = -1;

	if (!conf_wants_selfsigned(c))
		return conf_tls(c, reader, NULL, why);
	buf_init(&pem, CONF_MAX);
	fd = memfd_create("postern", MFD_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd == -1)
		(void)err_errno(why, "a file in memory");
	else if (selfsign_pem(c->top.hostname, &pem, why) == 0 &&
	    sys_pwrite_all(fd, buf_p(&pem), buf_len(&pem), 0) == 0)
		r = conf_tls(c, reader, path, why);
	file_close(&fd);
	buf_fini(&pem);
	return r;
}

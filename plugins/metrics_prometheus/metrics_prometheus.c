/*
 * Metrics for Prometheus: an HTTP server for GET /metrics in every worker, on
 * one address (SO_REUSEPORT). Whichever answers, the values are the node's.
 *
 * libmicrohttpd runs on our event: its epoll descriptor is watched, and it is
 * let work when something is there or one of its own times is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/metrics.h>

#include "exposition.h"

struct conf {
	const char *listen, *path;
	int64_t connections;
};

static const struct pst_option options[] = {
	PST_STRING(struct conf, listen, "127.0.0.1:9100",
	    "ADDRESS:PORT or [ADDRESS]:PORT that is listened on"),
	PST_STRING(struct conf, path, "/metrics", "path of the metrics"),
	PST_INT(struct conf, connections, "32", "1..1000",
	    "at once, to one worker"),
	PST_END
};

struct state {
	const struct conf *conf;
	struct MHD_Daemon *daemon;
	int epoll;
	char *text; /* of the last second; NULL: none yet */
	size_t n;
};

static enum pst_verdict serve(struct pst_event *);

/* Numbers only. */
static int
address(const char *text, struct sockaddr_storage *a, socklen_t *len)
{
	const char *colon = strrchr(text, ':'), *end = colon;
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *ai;
	char host[64];

	if (colon == NULL || colon == text)
		return -1;
	if (*text == '[' && end[-1] == ']') {
		text++;
		end--;
	}
	if ((size_t)(end - text) >= sizeof(host))
		return -1;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	if (getaddrinfo(host, colon + 1, &hint, &ai) != 0)
		return -1;
	memcpy(a, ai->ai_addr, ai->ai_addrlen);
	*len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

static int
listen_on(const char *text)
{
	struct sockaddr_storage a;
	socklen_t len;
	int fd, one = 1;

	memset(&a, 0, sizeof(a));
	if (address(text, &a, &len) != 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (a.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, len) != 0 ||
	    listen(fd, 64) != 0) {
		one = errno;
		(void)close(fd);
		errno = one;
		return -1;
	}
	return fd;
}

static enum MHD_Result
say(struct MHD_Connection *c, unsigned code, const char *text, size_t n,
    const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(n,
	    (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result done;

	if (r == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(r, "Content-Type", type);
	done = MHD_queue_response(c, code, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *upload,
    size_t *upload_n, void **mine)
{
	static const char html[] = "text/plain; charset=utf-8";
	struct state *s = arg;

	(void)version;
	(void)upload;
	(void)mine;
	*upload_n = 0;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n", 9,
		    html);
	if (strcmp(url, s->conf->path) != 0)
		return say(c, MHD_HTTP_NOT_FOUND, "not here\n", 9, html);
	if (s->text == NULL)
		return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not yet\n", 8,
		    html);
	return say(c, MHD_HTTP_OK, s->text, s->n,
	    "text/plain; version=0.0.4; charset=utf-8");
}

static void
state_end(void *arg)
{
	struct state *s = arg;

	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	free(s->text);
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *c = ev->conf;
	const union MHD_DaemonInfo *info;
	int fd;

	if (s == NULL)
		return PST_TEMPFAIL;
	s->conf = c;
	fd = listen_on(c->listen);
	if (fd == -1)
		return pst_tempfail(ev, 0, "", "%s: %s", c->listen,
		    strerror(errno));
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request,
	    s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT,
	    10u, MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->connections,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
	    MHD_OPTION_END);
	if (s->daemon == NULL) {
		(void)close(fd);
		return pst_tempfail(ev, 0, "", "%s: the HTTP server does not "
		    "start", c->listen);
	}
	pst_defer(ev, PST_INSTANCE, state_end, s);
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL || pst_task(ev, serve, s) != 0)
		return PST_TEMPFAIL;
	s->epoll = info->epoll_fd;
	return PST_CONTINUE;
}

static enum pst_verdict
go_on(struct pst_event *ev, const struct pst_result *r)
{
	struct state *s = ev->arg;

	(void)r;
	(void)MHD_run(s->daemon);
	return serve(ev);
}

static enum pst_verdict
serve(struct pst_event *ev)
{
	struct state *s = ev->arg;
	MHD_UNSIGNED_LONG_LONG left;
	uint32_t ms = 0;

	if (MHD_get_timeout(s->daemon, &left) == MHD_YES)
		ms = left < 1 ? 1 : left > 60000 ? 60000 : (uint32_t)left;
	return pst_watch(ev, s->epoll, PST_READ, ms, go_on);
}

static enum pst_verdict
on_emit(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	size_t n;
	char *text = exposition(ev->arg, &n);

	if (text == NULL)
		return PST_TEMPFAIL;
	free(s->text);
	s->text = text;
	s->n = n;
	return PST_CONTINUE;
}

static const char *
check(const void *conf)
{
	const struct conf *c = conf;
	struct sockaddr_storage a;
	socklen_t len;

	if (address(c->listen, &a, &len) != 0)
		return "listen: ADDRESS:PORT or [ADDRESS]:PORT";
	if (c->path[0] != '/')
		return "path: begins with /";
	return NULL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_METRICS_EMIT, on_emit),
	PST_END
};

PST_PLUGIN(metrics_prometheus, .version = "1.0",
    .summary = "Metrics for Prometheus, over HTTP", .license = "BSD-2-Clause",
    .hooks = hooks, .options = options, .conf_size = sizeof(struct conf),
    .check = check);

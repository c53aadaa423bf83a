#include "outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "stub.h"

#define ANSWER_MAX (4 * 1024 * 1024)
#define PATIENCE_S 20 /* real time; more is only a failure */

static int	under(struct stub *st, const char *path);
static void	make_socket(struct stub *st, const char *path);
static void	take_away(struct stub *st, const char *path);
static int	bound(struct stub *st, const char *text, bool listens);
static void	serve(int fd, const char *file, const struct stmt *s);

int
outside_begin(struct outside *o, struct err *why)
{
	const char *tmp = getenv("TMPDIR");
	unsigned pid = (unsigned)getpid();

	*o = (struct outside){ .folder = "" };
	if (tmp == NULL || tmp[0] != '/' ||
	    strlen(tmp) > sizeof(o->folder) - 24)
		tmp = "/tmp";
	(void)snprintf(o->folder, sizeof(o->folder), "%s/posternstub.XXXXXX",
	    tmp);
	if (mkdtemp(o->folder) == NULL)
		return err_errno(why, "%s", o->folder);
	(void)snprintf(o->ip, sizeof(o->ip), "127.%u.%u.%u",
	    64 + (pid >> 16 & 63), pid >> 8 & 255, pid & 255);
	return 0;
}

static int
gone(const char *path, const struct stat *sb, int what, struct FTW *at)
{
	(void)sb;
	(void)what;
	return at->level > 0 ? remove(path) : 0;
}

void
outside_clear(const struct outside *o)
{
	(void)nftw(o->folder, gone, 10, FTW_DEPTH | FTW_PHYS);
}

void
outside_end(struct outside *o)
{
	if (o->folder[0] == '\0')
		return;
	outside_clear(o);
	(void)rmdir(o->folder);
}

void
outside_stop(struct stub *st)
{
	unsigned i;

	for (i = 0; i < STUB_SOCKETS; i++) {
		if (st->socket[i].path != NULL)
			take_away(st, st->socket[i].path);
	}
	if (st->server == 0)
		return;
	(void)kill(st->server, SIGKILL);
	while (waitpid(st->server, NULL, 0) < 0 && errno == EINTR)
		;
	st->server = 0;
}

/* ---- Files and sockets ------------------------------------------------- */

/* As a whole, so that it is another file than the one before. */
static void
write_file(struct stub *st, const char *path, const char *text)
{
	const char *new = pool_printf(st->t.pool, "%s.new", path);
	FILE *f = fopen(new, "we");

	if (f == NULL) {
		(void)err_errno(&st->t.broken, "%s", new);
		return;
	}
	(void)fputs(text, f);
	if (fclose(f) != 0 || rename(new, path) != 0)
		(void)err_errno(&st->t.broken, "%s", path);
}

void
outside_file(struct stub *st, const struct stmt *s)
{
	const struct script_word *what = &s->word[2];
	const char *path = s->word[0].s;

	if (!trial_may(&st->t, strcmp(s->word[1].s, "=") == 0,
		script_usage(s->id)) || under(st, path) < 0)
		return;
	if (!what->quoted && strcmp(what->s, "none") == 0) {
		take_away(st, path);
	} else if (!what->quoted && strcmp(what->s, "folder") == 0) {
		if (mkdir(path, 0755) != 0)
			(void)err_errno(&st->t.broken, "%s", path);
	} else if (!what->quoted && strcmp(what->s, "socket") == 0) {
		take_away(st, path);
		make_socket(st, path);
	} else
		write_file(st, path, what->s);
}

/* Makes the folders it is in. */
static int
under(struct stub *st, const char *path)
{
	const char *folder = st->script->outside->folder, *p;

	if (strncmp(path, folder, strlen(folder)) != 0 ||
	    strstr(path, "/../") != NULL)
		return err_text(&st->t.broken, "a file's path begins with %%/");
	for (p = strchr(path + strlen(folder) + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		char *part = pool_strndup(st->t.pool, path,
		    (size_t)(p - path));

		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return err_errno(&st->t.broken, "%s", part);
	}
	return 0;
}

static void
take_away(struct stub *st, const char *path)
{
	unsigned i;

	for (i = 0; i < STUB_SOCKETS; i++) {
		struct stub_socket *k = &st->socket[i];

		if (k->path == NULL || strcmp(k->path, path) != 0)
			continue;
		(void)close(k->fd);
		buf_fini(&k->came);
		k->path = NULL;
	}
	(void)remove(path);
}

static void
make_socket(struct stub *st, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stub_socket *k = st->socket;

	while (k < st->socket + STUB_SOCKETS && k->path != NULL)
		k++;
	if (k == st->socket + STUB_SOCKETS ||
	    strlen(path) >= sizeof(a.sun_path)) {
		(void)err_text(&st->t.broken, "%s", strlen(path) >=
		    sizeof(a.sun_path) ? "the name is too long for a socket" :
		    "there are too many sockets");
		return;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	k->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->fd < 0 ||
	    bind(k->fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)err_errno(&st->t.broken, "%s", path);
		if (k->fd >= 0)
			(void)close(k->fd);
		return;
	}
	buf_init(&k->came, ANSWER_MAX);
	k->path = pool_strdup(st->t.pool, path);
}

/* A line for each datagram. */
static const char *
read_socket(struct stub *st, struct stub_socket *k)
{
	char piece[65536];
	ssize_t n;

	while ((n = recv(k->fd, piece, sizeof(piece), 0)) >= 0)
		(void)buf_printf(&k->came, "%.*s\n", (int)n, piece);
	return pool_strndup(st->t.pool, buf_p(&k->came), buf_len(&k->came));
}

const char *
outside_read(struct stub *st, const char *path)
{
	struct err why = ERR_INIT;
	const char *have = NULL;
	struct buf text;
	unsigned i;

	for (i = 0; i < STUB_SOCKETS; i++) {
		if (st->socket[i].path != NULL &&
		    strcmp(st->socket[i].path, path) == 0)
			return read_socket(st, &st->socket[i]);
	}
	buf_init(&text, ANSWER_MAX);
	if (file_read(&text, path, &why) == 0)
		have = pool_strndup(st->t.pool, buf_p(&text), buf_len(&text));
	buf_fini(&text);
	return have;
}

/* ---- Clients and servers ----------------------------------------------- */

/* A socket at ADDRESS:PORT, or connected to it; -1: told. */
static int
bound(struct stub *st, const char *text, bool listens)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	size_t n = strcspn(text, ":");
	int fd, rc, on = 1;
	uint64_t port = 0;
	char ip[32] = "";

	if (n < sizeof(ip))
		memcpy(ip, text, n);
	if (text[n] != ':' || inet_pton(AF_INET, ip, &a.sin_addr) != 1 ||
	    num_u64(str_c(text + n + 1), 65535, &port) != 0)
		return err_text(&st->t.broken, "\"%s\" is no ADDRESS:PORT",
		    text);
	a.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(&st->t.broken, "%s", text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	rc = listens ? bind(fd, (struct sockaddr *)&a, sizeof(a)) :
		       connect(fd, (struct sockaddr *)&a, sizeof(a));
	if (rc == 0 && (!listens || listen(fd, 16) == 0))
		return fd;
	(void)err_errno(&st->t.broken, "%s", text);
	(void)close(fd);
	return -1;
}

/* Says it and listens until the plugin ends the connection. */
void
outside_connect(struct stub *st, const struct stmt *s)
{
	int fd = bound(st, s->word[0].s, false), left = PATIENCE_S * 100;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct buf answer;
	char piece[4096];
	ssize_t n = -1;

	st->nout = 0;
	if (fd < 0)
		return;
	buf_init(&answer, ANSWER_MAX);
	(void)send(fd, s->word[1].s, strlen(s->word[1].s), MSG_NOSIGNAL);
	for (; n != 0 && left > 0; left--) {
		trial_settle(&st->t, 0);
		if (poll(&p, 1, 10) != 1)
			continue;
		n = recv(fd, piece, sizeof(piece), 0);
		if (n > 0)
			(void)buf_add(&answer, piece, (size_t)n);
		else
			n = 0;
	}
	(void)close(fd);
	stub_set_out(st, "answer", buf_p(&answer));
	buf_fini(&answer);
	trial_settle(&st->t, 0);
}

/* A process of its own: a plugin's thread may wait for it. */
void
outside_smtp(struct stub *st, const struct stmt *s)
{
	const char *file = s->word[1].s;
	int fd;
	pid_t pid;

	outside_stop(st);
	if (under(st, file) < 0)
		return;
	write_file(st, file, "");
	fd = bound(st, s->word[0].s, true);
	if (fd < 0)
		return;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd, file, s);
	}
	if (pid > 0)
		st->server = pid;
	else
		(void)err_errno(&st->t.broken, "fork");
	(void)close(fd);
}

static const char *
reply(const struct stmt *s, const char *verb, const char *otherwise)
{
	const char *text = stmt_key(s, verb);

	return text != NULL ? text : otherwise;
}

/* What the client says goes to the file before it is answered. */
static bool
heard(FILE *in, FILE *to, char *line, size_t n)
{
	if (fgets(line, (int)n, in) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	(void)fprintf(to, "%s\n", line);
	return true;
}

static void
converse(int fd, FILE *to, const struct stmt *s)
{
	FILE *in = fdopen(fd, "r");
	char line[4096], verb[8];
	const char *says;
	bool more;
	char *p;

	if (in == NULL)
		return;
	(void)dprintf(fd, "%s\r\n", reply(s, "CONNECT", "220 stub.example"));
	while (heard(in, to, line, sizeof(line))) {
		(void)snprintf(verb, sizeof(verb), "%.4s", line);
		for (p = verb; *p != '\0'; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		says = reply(s, verb, strcmp(verb, "DATA") == 0 ?
		    "354 go on" : "250 2.0.0 fine");
		more = strcmp(verb, "DATA") == 0 && says[0] == '3';
		if (more)
			(void)dprintf(fd, "%s\r\n", says);
		while (more && heard(in, to, line, sizeof(line)) &&
		    strcmp(line, ".") != 0)
			;
		if (more)
			says = reply(s, "BODY", "250 2.0.0 taken");
		(void)fflush(to);
		(void)dprintf(fd, "%s\r\n", says);
		if (strcmp(verb, "QUIT") == 0)
			break;
	}
	(void)fclose(in);
}

static void
serve(int fd, const char *file, const struct stmt *s)
{
	FILE *to = fopen(file, "ae");
	int client;

	(void)signal(SIGPIPE, SIG_IGN);
	while (to != NULL && (client = accept(fd, NULL, NULL)) >= 0)
		converse(client, to, s);
	_exit(1);
}

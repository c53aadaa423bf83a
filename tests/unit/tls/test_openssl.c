/*
 * OpenSSL's command line as the peer, in both roles.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/sock.h"
#include "pair.h"
#include "pki.h"
#include "unit.h"

enum { ARGS_MAX = 32, PATIENCE = 10000, WITH_CBC = 1 << 16 };

static struct tlsctx *ctx;
static pid_t child;
static int to_child = -1;
static struct sock_addr where;
static char port[16];

static void
setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	pki_start();
	pair_start();
	child = 0;
	to_child = -1;
}

static void
teardown(void)
{
	if (to_child >= 0)
		(void)close(to_child);
	if (child > 0) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, 0);
	}
	pair_stop();
	tlsctx_unref(&ctx);
	pki_stop();
}

/* Runs openssl with the words of command; its input is to_child. */
static void
run(const char *command)
{
	char *argv[ARGS_MAX + 1] = { NULL }, *copy = strdup(command), *word;
	int fd[2], n = 0, null;

	for (word = copy; word != NULL && n < ARGS_MAX; n++) {
		argv[n] = word;
		word = strchr(word, ' ');
		if (word != NULL)
			*word++ = '\0';
	}
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		null = open("/dev/null", O_WRONLY);
		(void)dup2(fd[0], 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)execvp("openssl", argv);
		_exit(127);
	}
	(void)close(fd[0]);
	to_child = fd[1];
	free(copy);
}

/* The same, to its end. */
static void
run_through(const char *command)
{
	int status;

	run(command);
	(void)close(to_child);
	to_child = -1;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	child = 0;
	ck_assert_int_eq(status, 0);
}

static int
listen_somewhere(void)
{
	int fd;

	ck_assert_int_eq(sock_addr_ip(STR("127.0.0.1"), 0, &where, NULL), 0);
	ck_assert_int_eq(sock_listen(&where, 5, &fd, NULL), 0);
	ck_assert_int_eq(sock_local(fd, &where), 0);
	(void)snprintf(port, sizeof(port), "%u", sock_addr_port(&where));
	return fd;
}

static bool late;

static void
on_late(void *arg)
{
	(void)arg;
	late = true;
}

static void
wait_for(struct end *e, size_t octets)
{
	struct loop_timer t;

	late = false;
	loop_timer_init(pair_loop, &t, on_late, NULL);
	loop_timer_set(&t, PATIENCE);
	while (!late && e->closed == 0 &&
	       (e->shaken == 0 || buf_len(&e->got) < octets))
		loop_once(pair_loop, true);
	loop_timer_clear(&t);
	ck_assert(!late);
}

static void
on_accept(void *arg, int fd, const struct sock_addr *peer)
{
	bool *accepted = arg;

	(void)peer;
	stream_destroy(&pair_s.s);
	buf_fini(&pair_s.got);
	pair_end(&pair_s, fd);
	*accepted = true;
}

static const struct {
	const char *words;
	unsigned flags;
	const char *version; /* NULL: the handshake fails */
} client_case[] = {
	{ "-tls1_3", 0, "TLSv1.3" },
	{ "-tls1_3", PKI_RSA, "TLSv1.3" },
	{ "-tls1_2", 0, "TLSv1.2" },
	{ "-tls1_2", PKI_RSA, "TLSv1.2" },
	{ "-tls1_3 -groups P-521", 0, "TLSv1.3" },
	/* CBC is for those who ask for it. */
	{ "-tls1_2 -cipher ECDHE-RSA-AES256-SHA", PKI_RSA, NULL },
	{ "-tls1_2 -cipher ECDHE-RSA-AES256-SHA", PKI_RSA | WITH_CBC,
	    "TLSv1.2" },
	{ "-tls1_2 -cipher AES128-SHA", PKI_RSA, NULL },
	{ "-tls1_1 -cipher ALL@SECLEVEL=0", PKI_RSA, NULL },
};

START_TEST(serves_s_client)
{
	struct tlsctx_conf conf = { .server = true };
	char command[512];
	bool accepted = false;
	struct listen *ls;
	int fd;

	if (client_case[_i].flags & WITH_CBC)
		conf.ciphers = "ECDHE+AESGCM:ECDHE+AES";
	conf.cert_file = pki_issue(
	    "mx.pem", "DNS:mx.example", client_case[_i].flags & PKI_RSA);
	ck_assert_int_eq(tlsctx_new(&ctx, &conf, NULL), 0);
	fd = listen_somewhere();
	ls = listen_start(pair_loop, fd, on_accept, &accepted);
	(void)snprintf(command, sizeof(command),
	    "openssl s_client -quiet -verify_return_error -CAfile %s "
	    "-verify_hostname mx.example -servername mx.example "
	    "-connect 127.0.0.1:%s %s",
	    pki_ca(), port, client_case[_i].words);
	run(command);
	while (!accepted)
		loop_once(pair_loop, true);
	pair_tls(NULL, ctx, NULL);
	ck_assert_int_eq(write(to_child, "hello\n", 6), 6);
	wait_for(&pair_s, 6);
	listen_stop(&ls);
	(void)close(fd);
	ck_assert_int_eq(pair_s.ok, client_case[_i].version != NULL);
	if (!pair_s.ok)
		return;
	ck_assert_str_eq(pair_s.info.version, client_case[_i].version);
	ck_assert_str_eq(pair_s.sni, "mx.example");
	ck_assert_str_eq(buf_p(&pair_s.got), "hello\n");
}
END_TEST

static void
on_connected(void *arg, struct stream *s, const struct err *why)
{
	unsigned *times = arg;

	(void)why;
	(*times)++;
	if (s == NULL)
		return;
	stream_destroy(&pair_c.s);
	buf_fini(&pair_c.got);
	pair_adopt(&pair_c, s);
}

/* s_server says nowhere that it listens: it is asked until it does. */
static void
connect_to_child(void)
{
	struct stream *before = pair_c.s;
	unsigned tries, times = 0;

	for (tries = 0; tries < 100 && pair_c.s == before; tries++) {
		(void)stream_connect(
		    pair_loop, &where, NULL, 1000, on_connected, &times);
		while (times <= tries)
			loop_once(pair_loop, true);
		if (pair_c.s == before)
			(void)usleep(50000);
	}
	ck_assert_ptr_ne(pair_c.s, before);
}

#define P(curve) "ec -pkeyopt ec_paramgen_curve:" curve

static const struct {
	const char *key, *words, *version;
} server_case[] = {
	{ P("P-256"), "-tls1_3", "TLSv1.3" },
	{ P("P-384"), "-tls1_3", "TLSv1.3" },
	{ P("P-521"), "-tls1_3", "TLSv1.3" },
	{ P("P-521"), "-tls1_2", "TLSv1.2" },
	{ "ed25519", "-tls1_3", "TLSv1.3" },
	{ "rsa:2048", "-tls1_3", "TLSv1.3" },
	{ "rsa:4096", "-tls1_2", "TLSv1.2" },
	{ "rsa:2048", "-tls1_3 -groups P-521", "TLSv1.3" },
	{ "rsa:2048", "-tls1_2 -cipher AES256-SHA", "TLSv1.2" },
	{ "rsa:1024", "-tls1_2 -cipher ALL@SECLEVEL=0", "TLSv1.2" },
	{ "rsa:2048", "-tls1_1 -cipher ALL@SECLEVEL=0", NULL },
};

START_TEST(delivers_to_s_server)
{
	static const struct tlswant want = { .level = TLSWANT_OPPORTUNISTIC };
	struct tlsio_client how = { .want = &want, .sni = "mx.example" };
	static const struct tlsctx_conf conf = { .server = false };
	const char *key = pki_path("key.pem"), *cert = pki_path("cert.pem");
	char command[512];
	int fd;

	(void)snprintf(command, sizeof(command),
	    "openssl req -x509 -nodes -subj /CN=mx.example -keyout %s "
	    "-out %s -newkey %s",
	    key, cert, server_case[_i].key);
	run_through(command);
	fd = listen_somewhere();
	(void)close(fd); /* free by now; s_server sets SO_REUSEADDR */
	(void)snprintf(command, sizeof(command),
	    "openssl s_server -rev -accept 127.0.0.1:%s -key %s -cert %s %s",
	    port, key, cert, server_case[_i].words);
	run(command);
	connect_to_child();
	how.domain = STR("mx.example");
	ck_assert_int_eq(tlsctx_new(&ctx, &conf, NULL), 0);
	pair_tls(ctx, NULL, &how);
	while (pair_c.shaken == 0)
		loop_once(pair_loop, true);
	ck_assert_int_eq(pair_c.ok, server_case[_i].version != NULL);
	if (!pair_c.ok)
		return;
	ck_assert_str_eq(pair_c.info.version, server_case[_i].version);
	stream_write(pair_c.s, "olleh\n", 6);
	wait_for(&pair_c, 6);
	ck_assert_str_eq(buf_p(&pair_c.got), "hello\n");
}
END_TEST

#define COUNT(v) ((int)(sizeof(v) / sizeof((v)[0])))

UNIT_SUITE(openssl)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, serves_s_client, 0, COUNT(client_case));
	tcase_add_loop_test(tc, delivers_to_s_server, 0, COUNT(server_case));
}

#include "daemon/epoch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ipc.h"
#include "unit.h"

static struct err why;
static char dir[] = "/tmp/postern-epoch-XXXXXX";
static char file[64], users[64];

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/boot.lua", dir);
	(void)snprintf(users, sizeof(users), "%s/users", dir);
	put(file, "relay { users = 'users' }\n"
		  "delivery { ca_file = '/nowhere' }\n"
		  "listener 'in' { address = '127.0.0.1:25' }\n");
	put(users, "anna:secret\n");
}

static void
teardown(void)
{
	(void)unlink(file);
	(void)unlink(users);
	(void)rmdir(dir);
}

static struct epoch *
make(void)
{
	struct epoch *e = NULL;
	struct conf *c = NULL;

	ck_assert_msg(epoch_read(&e, file, 7, &why) == 0, "%s", why.text);
	ck_assert_msg(conf_parse(&c, file, epoch_text(e), &conf_reader_plain,
	    &why) == 0, "%s", why.text);
	ck_assert_msg(epoch_files(e, c, &why) == 0, "%s", why.text);
	conf_unref(&c);
	return e;
}

START_TEST(files_are_read_from_memory_afterwards)
{
	struct epoch *e = make();
	struct conf *c = NULL;

	put(users, "else:changed\n");
	ck_assert_msg(conf_parse(&c, file, epoch_text(e), epoch_reader(e),
	    &why) == 0, "%s", why.text);
	ck_assert_uint_eq(c->nuser, 1);
	ck_assert_str_eq(c->user[0].name, "anna");
	conf_unref(&c);
	epoch_destroy(&e);
	ck_assert_ptr_null(e);
}
END_TEST

START_TEST(a_library_gets_a_path_that_opens)
{
	struct epoch *e = make();
	const struct conf_reader *r = epoch_reader(e);
	struct pool *pool = pool_new(0);
	const char *path = r->path(r->arg, pool, users);
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	(void)unlink(users);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "anna:secret\n");
	ck_assert_str_eq(r->path(r->arg, pool, "/other"), "/other");
	(void)close(fd);
	pool_destroy(&pool);
	epoch_destroy(&e);
}
END_TEST

struct got {
	struct loop *l;
	struct epoch *e;
};

static void
receive(void *arg, const json_t *msg, int *fds, unsigned n)
{
	struct got *g = arg;

	ck_assert_ptr_nonnull(msg);
	ck_assert_msg(epoch_unpack(&g->e, msg, fds, n, &why) == 0, "%s",
	    why.text);
	loop_stop(g->l);
}

START_TEST(travels_whole_between_processes)
{
	struct got g = { loop_new(), NULL };
	struct epoch *e = make();
	const struct epoch_port *port;
	struct ipc *a, *b;
	int pair[2], fds[IPC_FDS];
	struct conf *c = NULL;
	json_t *msg;
	unsigned n;

	epoch_port_add(e, "in", "127.0.0.1:25", open("/dev/null", O_RDONLY));
	ck_assert_int_eq(ipc_pair(pair, &why), 0);
	a = ipc_new(g.l, pair[0], receive, &g);
	b = ipc_new(g.l, pair[1], receive, &g);
	msg = epoch_pack(e, fds, &n, &why);
	ck_assert_ptr_nonnull(msg);
	ck_assert_uint_eq(n, 3);
	ck_assert_msg(ipc_send(b, msg, fds, n, &why) == 0, "%s", why.text);
	epoch_destroy(&e);
	loop_run(g.l);
	ck_assert_uint_eq(epoch_generation(g.e), 7);
	ck_assert_str_eq(epoch_file(g.e), file);
	port = epoch_ports(g.e, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(port->address, "127.0.0.1:25");
	ck_assert_int_ne(fcntl(port->fd, F_GETFD), -1);
	ck_assert_int_eq(conf_parse(&c, file, epoch_text(g.e),
	    epoch_reader(g.e), &why), 0);
	ck_assert_str_eq(c->user[0].hash, "secret");
	conf_unref(&c);
	epoch_destroy(&g.e);
	ipc_destroy(&a);
	ipc_destroy(&b);
	loop_once(g.l, false);
	loop_destroy(&g.l);
}
END_TEST

START_TEST(a_candidate_that_looks_on_is_handed_on)
{
	struct epoch_store from = { .shadow = "/p/new.lua" };
	struct epoch *e = NULL, *next = NULL, *there = NULL;
	struct conf *c = NULL;
	int fds[IPC_FDS];
	json_t *msg;
	unsigned n, i;

	ck_assert_msg(epoch_read_from(&e, file, &from, 7, &why) == 0, "%s",
	    why.text);
	ck_assert_msg(epoch_again(&next, e, 8, &why) == 0, "%s", why.text);
	msg = epoch_pack(next, fds, &n, &why);
	for (i = 0; i < n; i++)
		fds[i] = dup(fds[i]);
	ck_assert_msg(epoch_unpack(&there, msg, fds, n, &why) == 0, "%s",
	    why.text);
	json_decref(msg);
	ck_assert_int_eq(epoch_conf(there, &conf_reader_none, &c, &why), 0);
	ck_assert_str_eq(c->policy.shadow, "/p/new.lua");
	conf_unref(&c);
	epoch_destroy(&e);
	epoch_destroy(&next);
	epoch_destroy(&there);
}
END_TEST

START_TEST(a_malformed_epoch_is_refused_and_its_descriptors_closed)
{
	json_t *msg = json_pack("{s:s, s:s, s:[s], s:[]}", "type", "epoch",
	    "file", "x", "files", "y", "ports");
	int fd = open("/dev/null", O_RDONLY);
	struct epoch *e = NULL;

	ck_assert_int_eq(epoch_unpack(&e, msg, &fd, 1, &why), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	json_decref(msg);
}
END_TEST

UNIT_SUITE(epoch)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, files_are_read_from_memory_afterwards);
	tcase_add_test(tc, a_library_gets_a_path_that_opens);
	tcase_add_test(tc, travels_whole_between_processes);
	tcase_add_test(tc, a_candidate_that_looks_on_is_handed_on);
	tcase_add_test(tc,
	    a_malformed_epoch_is_refused_and_its_descriptors_closed);
}

#include "admin/control.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static struct loop *l;
static struct control *c;
static char path[64];
static struct control_req *later;

static void
verb_now(void *arg, struct control_req *r, const json_t *args)
{
	(void)arg;
	control_row(r, STR("{\"row\":1}"));
	control_done(r, json_pack("{s:I}", "n",
	    (json_int_t)control_number(args, "n", -1)));
}

static void
verb_later(void *arg, struct control_req *r, const json_t *args)
{
	(void)arg;
	(void)args;
	later = r;
}

static void
verb_much(void *arg, struct control_req *r, const json_t *args)
{
	static char row[100000];
	int i;

	(void)arg;
	(void)args;
	memset(row, 'x', sizeof(row));
	for (i = 0; i < 300; i++)
		control_row(r, str_n(row, sizeof(row)));
	control_done(r, NULL);
}

static const struct control_verb verbs[] = {
	{ "now", verb_now },
	{ "later", verb_later },
	{ "much", verb_much },
	{ NULL, NULL },
};

static void
setup(void)
{
	struct err why = ERR_INIT;

	later = NULL;
	l = loop_new();
	(void)snprintf(path, sizeof(path), "/tmp/postern-control-%ld",
	    (long)getpid());
	ck_assert_msg(control_new(&c, l, path, verbs, NULL, &why) == 0, "%s",
	    why.text);
}

static void
teardown(void)
{
	control_destroy(&c);
	ck_assert_int_ne(access(path, F_OK), 0);
	loop_once(l, false);
	loop_destroy(&l);
}

static int
dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), str_c(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void
turn(int rounds)
{
	while (rounds-- > 0)
		loop_once(l, false);
}

static void
expect(const char *request, const char *answer)
{
	char text[4096];
	ssize_t n;
	int fd = dial();

	ck_assert_int_eq(write(fd, request, strlen(request)),
	    (ssize_t)strlen(request));
	turn(10);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, answer);
	(void)close(fd);
	turn(5);
}

START_TEST(answers_rows_and_an_end)
{
	expect("{\"verb\":\"now\",\"n\":5}\n",
	    "{\"row\":1}\n{\"n\":5,\"done\":true}\n");
}
END_TEST

START_TEST(refuses_what_is_no_request)
{
	expect("nonsense\n",
	    "{\"error\":\"a JSON object with a verb is wanted\"}\n");
	expect("[1,2]\n",
	    "{\"error\":\"a JSON object with a verb is wanted\"}\n");
	expect("{\"verb\":7}\n",
	    "{\"error\":\"a JSON object with a verb is wanted\"}\n");
	expect("{\"verb\":\"other\"}\n", "{\"error\":\"no such verb\"}\n");
	expect("\n", "{\"error\":\"a JSON object with a verb is wanted\"}\n");
}
END_TEST

START_TEST(is_for_its_owner_only)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_client_that_leaves_early_does_no_harm)
{
	int fd = dial();

	ck_assert_int_eq(write(fd, "{\"verb\":\"later\"}\n", 17), 17);
	turn(5);
	ck_assert_ptr_nonnull(later);
	ck_assert(!control_gone(later));
	(void)close(fd);
	turn(5);
	ck_assert(control_gone(later));
	control_row(later, STR("{}"));
	control_done(later, NULL);
	turn(5);
}
END_TEST

START_TEST(a_line_without_an_end_is_cut_off)
{
	char text[4096];
	int fd = dial(), i;
	char c1;

	memset(text, 'x', sizeof(text));
	for (i = 0; i < 40; i++) {
		if (send(fd, text, sizeof(text), MSG_NOSIGNAL) < 0)
			break;
		turn(2);
	}
	turn(5);
	ck_assert_int_le(read(fd, &c1, 1), 0);
	(void)close(fd);
	turn(5);
}
END_TEST

START_TEST(a_reader_that_does_not_read_is_let_go)
{
	int fd = dial();

	ck_assert_int_eq(write(fd, "{\"verb\":\"much\"}\n", 16), 16);
	turn(20);
	(void)close(fd);
	turn(5);
}
END_TEST

START_TEST(too_many_clients_are_turned_away)
{
	int fd[40], i;
	char c1;

	for (i = 0; i < 40; i++) {
		fd[i] = dial();
		turn(2);
	}
	ck_assert_int_eq(read(fd[39], &c1, 1), 0);
	ck_assert_int_eq(read(fd[0], &c1, 1), -1);
	for (i = 0; i < 40; i++)
		(void)close(fd[i]);
	turn(80);
	expect("{\"verb\":\"other\"}\n", "{\"error\":\"no such verb\"}\n");
}
END_TEST

UNIT_SUITE(control)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers_rows_and_an_end);
	tcase_add_test(tc, refuses_what_is_no_request);
	tcase_add_test(tc, is_for_its_owner_only);
	tcase_add_test(tc, a_client_that_leaves_early_does_no_harm);
	tcase_add_test(tc, a_line_without_an_end_is_cut_off);
	tcase_add_test(tc, a_reader_that_does_not_read_is_let_go);
	tcase_add_test(tc, too_many_clients_are_turned_away);
}

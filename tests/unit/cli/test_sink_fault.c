#include "cli/sink_fault.h"

#include <stdio.h>

#include "unit.h"

/* The words of an address, and what holds on a connection. */
struct turn {
	const char *words;
	uint64_t n;
	enum sink_fault road, version;
	enum certlab_kind kind;
	unsigned road_code, mail_code, rcpt_code;
};

static const struct turn turns[] = {
	{ "", 0, FAULT_NONE, FAULT_NONE, CERTLAB_GOOD, 0, 0, 0 },
	{ "st454", 0, FAULT_ST, FAULT_NONE, CERTLAB_GOOD, 454, 0, 0 },
	{ "ST454", 9, FAULT_ST, FAULT_NONE, CERTLAB_GOOD, 454, 0, 0 },
	{ "st454:2", 1, FAULT_ST, FAULT_NONE, CERTLAB_GOOD, 454, 0, 0 },
	{ "st454:2", 2, FAULT_NONE, FAULT_NONE, CERTLAB_GOOD, 0, 0, 0 },
	{ "220-hang,st454:1", 0, FAULT_ST, FAULT_NONE, CERTLAB_GOOD, 454, 0,
	    0 },
	{ "220-hang,st454:1", 1, FAULT_HANG, FAULT_NONE, CERTLAB_GOOD, 0, 0,
	    0 },
	{ "st-drop:3,st554:1", 2, FAULT_ST_DROP, FAULT_NONE, CERTLAB_GOOD, 0,
	    0, 0 },
	{ "tls12,cert=expired", 0, FAULT_NONE, FAULT_TLS12, CERTLAB_EXPIRED, 0,
	    0, 0 },
	{ "cert=expired:1,cert=self:2", 1, FAULT_NONE, FAULT_NONE,
	    CERTLAB_SELF, 0, 0, 0 },
	{ "cert=expired:1,cert=self:2", 2, FAULT_NONE, FAULT_NONE,
	    CERTLAB_GOOD, 0, 0, 0 },
	{ "mail-451:1,rcpt-550", 0, FAULT_NONE, FAULT_NONE, CERTLAB_GOOD, 0,
	    451, 550 },
	{ "mail-451:1,rcpt-550", 1, FAULT_NONE, FAULT_NONE, CERTLAB_GOOD, 0, 0,
	    550 },
};

static const char *const refused[] = { "st", "st4", "st4540", "st399",
	"st600", "st45x", "220-", "bogus", "st454:", "st454:0", "st454:-1",
	"st454:x", "st454:4294967296", "cert=", "cert=bogus", "cert=good:0",
	"key=", "key=dsa", "key=rsa,key=p256", "name=", "name=a b",
	"name=-x.", "mail-", "mail-250", ":1" };

/* One of them could never act. */
static const char *const idle[] = { "st454,st554",
	"noehlo,cert=self", "nostarttls,tls12", "st454:1,st554:1",
	"cert=self,cert=expired" };

static int
read_words(struct sink_words *w, const char *text, char *own, size_t n)
{
	struct err why = ERR_INIT;

	*w = (struct sink_words){ 0 };
	(void)snprintf(own, n, "%s", text);
	if (sink_words_add(w, own, &why) == 0)
		return 0;
	ck_assert_str_ne(why.text, "");
	return -1;
}

START_TEST(each_word_acts_on_its_connections)
{
	const struct turn *t = &turns[_i];
	struct err why = ERR_INIT;
	struct sink_setting s;
	struct sink_words w;
	char own[128];

	ck_assert_int_eq(read_words(&w, t->words, own, sizeof(own)), 0);
	ck_assert_int_eq(sink_words_check(&w, &why), 0);
	sink_words_at(&w, t->n, &s);
	ck_assert_int_eq(s.road, t->road);
	ck_assert_int_eq(s.version, t->version);
	ck_assert_int_eq(s.kind, t->kind);
	ck_assert_uint_eq(s.road_code, t->road_code);
	ck_assert_uint_eq(s.mail_code, t->mail_code);
	ck_assert_uint_eq(s.rcpt_code, t->rcpt_code);
}
END_TEST

START_TEST(refuses_what_is_no_word)
{
	struct sink_words w;
	char own[128];

	ck_assert_int_eq(
	    read_words(&w, refused[_i], own, sizeof(own)), -1);
}
END_TEST

START_TEST(refuses_what_could_never_act)
{
	struct err why = ERR_INIT;
	struct sink_words w;
	char own[128];

	ck_assert_int_eq(read_words(&w, idle[_i], own, sizeof(own)), 0);
	ck_assert_int_eq(sink_words_check(&w, &why), -1);
}
END_TEST

START_TEST(has_room_for_so_many_words_and_no_more)
{
	struct err why = ERR_INIT;
	struct sink_words w = { 0 };
	unsigned i;

	for (i = 0; i < SINK_WORDS; i++)
		ck_assert_int_eq(
		    sink_words_add_kind(&w, STR("self:7"), &why), 0);
	ck_assert_int_eq(sink_words_add_kind(&w, STR("self:7"), &why), -1);
	for (i = 0; i < SINK_NAMES; i++)
		ck_assert_int_eq(sink_words_add_name(&w, "a.test", &why), 0);
	ck_assert_int_eq(sink_words_add_name(&w, "a.test", &why), -1);
	ck_assert_ptr_null(w.name[SINK_NAMES]);
}
END_TEST

START_TEST(knows_when_something_else_holds)
{
	struct sink_words w;
	char own[128];

	ck_assert_int_eq(read_words(&w, "st454:2,cert=self:5,rcpt-550", own,
	    sizeof(own)), 0);
	ck_assert_uint_eq(sink_words_next(&w, 0), 2);
	ck_assert_uint_eq(sink_words_next(&w, 2), 5);
	ck_assert_uint_eq(sink_words_next(&w, 5), 0);
}
END_TEST

START_TEST(takes_of_others_only_what_it_lacks)
{
	struct sink_words w, common;
	char own[128], its[128];

	ck_assert_int_eq(read_words(&w, "st454,name=a.test", own,
	    sizeof(own)), 0);
	ck_assert_int_eq(read_words(&common,
	    "220-hang,cert=self,key=rsa,name=b.test", its, sizeof(its)), 0);
	sink_words_default(&w, &common);
	ck_assert_uint_eq(w.n, 2);
	ck_assert_int_eq(w.word[0].fault, FAULT_ST);
	ck_assert_int_eq(w.word[1].kind, CERTLAB_SELF);
	ck_assert(w.keyed);
	ck_assert_uint_eq(w.names, 1);
	ck_assert_str_eq(w.name[0], "a.test");
}
END_TEST

UNIT_SUITE(sink_fault)
{
	tcase_add_loop_test(tc, each_word_acts_on_its_connections, 0,
	    (int)(sizeof(turns) / sizeof(turns[0])));
	tcase_add_loop_test(tc, refuses_what_is_no_word, 0,
	    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_loop_test(tc, refuses_what_could_never_act, 0,
	    (int)(sizeof(idle) / sizeof(idle[0])));
	tcase_add_test(tc, has_room_for_so_many_words_and_no_more);
	tcase_add_test(tc, knows_when_something_else_holds);
	tcase_add_test(tc, takes_of_others_only_what_it_lacks);
}

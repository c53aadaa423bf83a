#include "cli/logline.h"

#include <string.h>

#include "unit.h"

#define AT "Sat Nov 21 19:30:00 2026 Info: "

struct line {
	const char *text;
	uint64_t icid, mid, dcid, bounce_of;
};

static const struct line lines[] = {
	{ AT "New SMTP ICID 7 interface in (127.0.0.1) address 127.0.0.1 "
	     "reverse dns host unknown verified no", 7, 0, 0, 0 },
	{ AT "ICID 7 close", 7, 0, 0, 0 },
	{ AT "Start MID 12 ICID 7", 7, 12, 0, 0 },
	{ AT "MID 12 ICID 7 RID 0 To: <a@b.c>", 7, 12, 0, 0 },
	{ AT "MID 12 ready 100 bytes from <a@b.c>", 0, 12, 0, 0 },
	{ AT "Message finished MID 12 done", 0, 12, 0, 0 },
	{ AT "Message aborted MID 12 Receiving aborted", 0, 12, 0, 0 },
	{ AT "New SMTP DCID 3 interface 127.0.0.1 address 127.0.0.1 port 25",
	    0, 0, 3, 0 },
	{ AT "Delivery start DCID 3 MID 12 to RID [0, 1]", 0, 12, 3, 0 },
	{ AT "Message done DCID 3 MID 12 to RID [0]", 0, 12, 3, 0 },
	{ AT "MID 12 RID [0] Response '2.0.0 ok'", 0, 12, 0, 0 },
	{ AT "Bounced: DCID 3 MID 12 to RID 0 - 5.1.1 - x ('550', ['y']) []",
	    0, 12, 3, 0 },
	{ AT "MID 13 was generated for bounce of MID 12", 0, 13, 0, 12 },
	{ AT "Connection Error: DCID 3 domain: b.c IP: 1.2.3.4 port: 25 "
	     "details: x interface: y reason: z", 0, 0, 3, 0 },
	/* What a stranger wrote is no id. */
	{ AT "MID 12 Subject 'MID 99 ICID 98 DCID 97'", 0, 12, 0, 0 },
	{ AT "MID 12 ICID 7 From: <\"MID 99 \"@x.y>", 7, 12, 0, 0 },
};

START_TEST(reads_the_ids_where_the_grammar_has_them)
{
	const struct line *want = &lines[_i];
	struct logline l;

	ck_assert(logline_parse(&l, str_c(want->text)));
	ck_assert_uint_eq(l.icid, want->icid);
	ck_assert_uint_eq(l.mid, want->mid);
	ck_assert_uint_eq(l.dcid, want->dcid);
	ck_assert_uint_eq(l.bounce_of, want->bounce_of);
	ck_assert(str_eq_c(l.level, "Info"));
}
END_TEST

START_TEST(passes_over_what_is_no_line_about_mail)
{
	struct logline l;

	ck_assert(!logline_parse(&l, STR("")));
	ck_assert(!logline_parse(&l, STR("short")));
	ck_assert(!logline_parse(&l, STR(AT "Begin Logfile")));
	ck_assert(!logline_parse(&l, STR(AT "MID x from")));
	ck_assert(!logline_parse(&l,
	    STR(AT "MID 99999999999999999999999 ready")));
	ck_assert(!logline_parse(&l, STR("Sat Nov 21 19:30:00 2026 Info")));
}
END_TEST

static bool
matches(const char *text, struct logline_want w)
{
	struct logline l;

	if (w.mid == 0)
		w.mid = UINT64_MAX;
	return logline_parse(&l, str_c(text)) && logline_matches(&l, &w);
}

START_TEST(addresses_match_with_wildcards_and_without_case)
{
	const char *from = AT "MID 1 ICID 2 From: <S1@client.test>";
	const char *to = AT "MID 1 ICID 2 RID 0 To: <r@next.test>";
	const char *no = AT "MID 1 ICID 2 To: <r@x.test> Rejected by RAT";

	ck_assert(matches(from, (struct logline_want){
	    .from = "s1@client.test" }));
	ck_assert(matches(from, (struct logline_want){ .from = "s*@*" }));
	ck_assert(matches(from, (struct logline_want){
	    .from = "<s1@client.test>" }));
	ck_assert(!matches(from, (struct logline_want){ .from = "client" }));
	ck_assert(!matches(from, (struct logline_want){
	    .to = "s1@client.test" }));
	ck_assert(matches(to, (struct logline_want){ .to = "r@next.test" }));
	ck_assert(matches(no, (struct logline_want){ .to = "r@x.test" }));
	ck_assert(matches(AT "MID 1 ICID 2 From: <>",
	    (struct logline_want){ .from = "<>" }));
}
END_TEST

START_TEST(mid_and_time_match)
{
	const char *line = AT "MID 15 ready 1 bytes from <>";

	ck_assert(matches(line, (struct logline_want){ .mid = 15 }));
	ck_assert(!matches(line, (struct logline_want){ .mid = 1 }));
	ck_assert(matches(line, (struct logline_want){ .since = 1 }));
	ck_assert(!matches(line, (struct logline_want){ .until = 1 }));
}
END_TEST

START_TEST(ids_are_a_set)
{
	struct logline_ids s = { NULL, 0, 0 };
	uint64_t i;

	for (i = 0; i < 1000; i++)
		logline_ids_add(&s, i * 7919 % 1000);
	for (i = 0; i < 1000; i++)
		logline_ids_add(&s, i);
	ck_assert_uint_eq(s.n, 1000);
	ck_assert(logline_ids_has(&s, 999));
	ck_assert(!logline_ids_has(&s, 1000));
	logline_ids_fini(&s);
}
END_TEST

UNIT_SUITE(logline)
{
	tcase_add_loop_test(tc, reads_the_ids_where_the_grammar_has_them, 0,
	    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, passes_over_what_is_no_line_about_mail);
	tcase_add_test(tc, addresses_match_with_wildcards_and_without_case);
	tcase_add_test(tc, mid_and_time_match);
	tcase_add_test(tc, ids_are_a_set);
}

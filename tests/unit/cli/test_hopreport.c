#include <string.h>

#include "cli/hopreport.h"
#include "unit.h"

static const char three[] =
    "Return-Path: <a@example.org>\r\n"
    "Received: from mid.example.net (mid.example.net [198.51.100.4])\r\n"
    "\tby mx.example.com (Postern) with ESMTP id 42;\r\n"
    "\tTue, 17 Apr 2018 00:58:00 +0000\r\n"
    "Received: from out.example.org (out.example.org [192.0.2.7])\r\n"
    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
    "\tby mid.example.net (Postfix) with ESMTPS id 4X\r\n"
    "\tfor <b@example.com>; Tue, 17 Apr 2018 02:57:53 +0200\r\n"
    "Subject: hello\r\n"
    "Received: by out.example.org (Postfix, from userid 0) id 1; "
    "Tue, 17 Apr 2018 00:57:54 +0000\r\n"
    "\r\n"
    "Received: from nowhere by body with SMTP\r\n";

static struct buf b;

static void
begin(void)
{
	buf_init(&b, 65536);
}

static void
end(void)
{
	buf_fini(&b);
}

static const char report[] =
    "3 hops, from the first to the last:\n"
    "\n"
    " 1  local\n"
    "    by out.example.org id 1\n"
    "    2018-04-17 00:57:54 UTC\n"
    "\n"
    " 2  encrypted  TLSv1.3 TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
    "    from out.example.org (out.example.org [192.0.2.7])\n"
    "    by mid.example.net with ESMTPS id 4X\n"
    "    2018-04-17 00:57:53 UTC, 1s earlier: clocks differ\n"
    "\n"
    " 3  clear\n"
    "    from mid.example.net (mid.example.net [198.51.100.4])\n"
    "    by mx.example.com with ESMTP id 42\n"
    "    2018-04-17 00:58:00 UTC, after 7s\n"
    "\n"
    "Verdict: clear on hop 3 (1 encrypted, 1 clear, 0 unknown, 1 local)\n";

START_TEST(shows_the_first_hop_first_and_a_verdict)
{
	ck_assert_uint_eq(hopreport(&b, str_c(three), false), 3);
	ck_assert_str_eq(buf_p(&b), report);
}
END_TEST

START_TEST(reads_files_with_bare_line_feeds_and_mbox_lines)
{
	struct buf in;
	size_t i;

	buf_init(&in, 65536);
	(void)buf_add_c(&in, "From a@example.org Tue Apr 17 00:58:00 2018\n");
	for (i = 0; i < sizeof(three) - 1; i++) {
		if (three[i] != '\r')
			(void)buf_add_char(&in, three[i]);
	}
	ck_assert_uint_eq(hopreport(&b, buf_str(&in), false), 3);
	ck_assert_str_eq(buf_p(&b), report);
	buf_fini(&in);
}
END_TEST

START_TEST(has_it_all_in_json)
{
	(void)hopreport(&b, str_c(three), true);
	ck_assert(strstr(buf_p(&b), "{\"hop\":2,\"tls\":\"encrypted\","
	    "\"from\":\"out.example.org\",\"from_info\":\"out.example.org "
	    "[192.0.2.7]\",\"by\":\"mid.example.net\",\"with\":\"ESMTPS\","
	    "\"id\":\"4X\",\"version\":\"TLSv1.3\",\"cipher\":"
	    "\"TLS_AES_256_GCM_SHA384\",\"bits\":\"256/256\",\"time\":"
	    "\"2018-04-17T00:57:53.000Z\",\"delay_ms\":-1000}") != NULL);
	ck_assert(strstr(buf_p(&b), "],\"unknown\":0,\"clear\":1,"
	    "\"encrypted\":1,\"local\":1,\"verdict\":\"clear\"}\n") != NULL);
}
END_TEST

START_TEST(shows_no_control_octet)
{
	static const char evil[] =
	    "Received: from a\033[2J\x07 (b\xc2\x9b" "31m\x7f)\r\n"
	    " by c\xe2\x80\xae with \x01SMTP\x80\r\n";
	const char *p;
	int json;

	for (json = 0; json <= 1; json++) {
		buf_reset(&b);
		ck_assert_uint_eq(hopreport(&b, str_c(evil), json != 0), 1);
		for (p = buf_p(&b); *p != '\0'; p++)
			ck_assert(*p == '\n' || ((unsigned char)*p >= ' ' &&
			    *p != 0x7f));
		ck_assert(strstr(buf_p(&b), "\xc2\x9b") == NULL);
		ck_assert(strstr(buf_p(&b), "\xe2\x80\xae") == NULL);
	}
}
END_TEST

START_TEST(tells_when_there_is_nothing_to_tell)
{
	ck_assert_uint_eq(hopreport(&b, STR("Subject: x\r\n\r\n"), false), 0);
	ck_assert_str_eq(buf_p(&b), "No Received field: nothing is told of "
	    "the way this message took.\n");
	buf_reset(&b);
	ck_assert_uint_eq(hopreport(&b, STR(""), true), 0);
	ck_assert_str_eq(buf_p(&b), "{\"hops\":[],\"unknown\":0,\"clear\":0,"
	    "\"encrypted\":0,\"local\":0,\"verdict\":\"unknown\"}\n");
}
END_TEST

START_TEST(looks_at_a_thousand_fields_at_most)
{
	struct buf in;
	unsigned i;

	buf_init(&in, 1 << 20);
	buf_fini(&b);
	buf_init(&b, 1 << 24);
	for (i = 0; i < HOPREPORT_MAX + 5; i++)
		(void)buf_add_c(&in, "Received: from a by b with ESMTPS\r\n");
	ck_assert_uint_eq(hopreport(&b, buf_str(&in), false), HOPREPORT_MAX);
	ck_assert(strstr(buf_p(&b), "encrypted on every hop (1000 ") != NULL);
	buf_fini(&in);
}
END_TEST

UNIT_SUITE(hopreport)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, shows_the_first_hop_first_and_a_verdict);
	tcase_add_test(tc, reads_files_with_bare_line_feeds_and_mbox_lines);
	tcase_add_test(tc, has_it_all_in_json);
	tcase_add_test(tc, shows_no_control_octet);
	tcase_add_test(tc, tells_when_there_is_nothing_to_tell);
	tcase_add_test(tc, looks_at_a_thousand_fields_at_most);
}

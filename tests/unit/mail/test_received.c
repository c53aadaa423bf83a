#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mail/received.h"
#include "unit.h"

static struct buf b;
static struct received r;

static void
begin(void)
{
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	buf_init(&b, 4096);
	r = (struct received){
		.helo = STR("client.example"),
		.client_name = "mail.client.example",
		.client_ip = "192.0.2.7",
		.by = "mx.example.com",
		.with = received_with(true, false, false, false),
		.mid = 42,
		.rcpt = STR("a@example.org"),
		.wall = 1523926673123,
	};
}

static void
end(void)
{
	buf_fini(&b);
}

START_TEST(says_from_whom_by_whom_and_for_whom)
{
	ck_assert_int_eq(received_build(&b, &r), 0);
	ck_assert_str_eq(buf_p(&b),
	    "Received: from client.example (mail.client.example "
	    "[192.0.2.7])\r\n"
	    "\tby mx.example.com (Postern) with ESMTP id 42\r\n"
	    "\tfor <a@example.org>; Tue, 17 Apr 2018 00:57:53 +0000\r\n");
}
END_TEST

START_TEST(has_a_tls_clause_when_encrypted)
{
	r.client_name = NULL;
	r.client_ip = "2001:db8::1";
	r.with = received_with(true, true, true, false);
	r.tls_version = "TLSv1.3";
	r.tls_cipher = "TLS_AES_256_GCM_SHA384";
	r.tls_bits = r.tls_alg_bits = 256;
	r.rcpt = STR_NULL;
	ck_assert_int_eq(received_build(&b, &r), 0);
	ck_assert_str_eq(buf_p(&b),
	    "Received: from client.example (unknown [IPv6:2001:db8::1])\r\n"
	    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
	    "bits))\r\n"
	    "\tby mx.example.com (Postern) with ESMTPSA id 42;\r\n"
	    "\tTue, 17 Apr 2018 00:57:53 +0000\r\n");
}
END_TEST

START_TEST(lets_no_name_say_what_only_we_know)
{
	r.helo = STR("a(b[192.0.2.1])\"c;@<d>\\");
	ck_assert_int_eq(received_build(&b, &r), 0);
	ck_assert_ptr_nonnull(strstr(buf_p(&b),
	    "from a?b[192.0.2.1]??c???d?? (mail.client.example [192.0.2.7])"));
}
END_TEST

START_TEST(stays_one_field_whatever_it_is_given)
{
	const char *p;

	r.helo = STR("x\r\nBcc: y\0\xff");
	r.rcpt = STR("m\xc3\xbcller\r\n@example.org");
	ck_assert_int_eq(received_build(&b, &r), 0);
	ck_assert_ptr_nonnull(strstr(buf_p(&b), "from x??Bcc: y?? ("));
	ck_assert_ptr_nonnull(strstr(buf_p(&b), "<m\xc3\xbcller??@"));
	for (p = strstr(buf_p(&b), "\r\n"); p[2] != '\0';
	     p = strstr(p + 2, "\r\n"))
		ck_assert_int_eq(p[2], '\t');
	buf_fini(&b);
	buf_init(&b, 50);
	ck_assert_int_eq(received_build(&b, &r), -1);
}
END_TEST

START_TEST(knows_the_words_of_rfc_3848_and_6531)
{
	ck_assert_str_eq(received_with(false, false, false, false), "SMTP");
	ck_assert_str_eq(received_with(true, false, false, false), "ESMTP");
	ck_assert_str_eq(received_with(true, true, false, false), "ESMTPS");
	ck_assert_str_eq(received_with(true, false, true, false), "ESMTPA");
	ck_assert_str_eq(received_with(true, true, true, true), "UTF8SMTPSA");
	ck_assert_str_eq(received_with(true, false, false, true), "UTF8SMTP");
}
END_TEST

UNIT_SUITE(received)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, says_from_whom_by_whom_and_for_whom);
	tcase_add_test(tc, has_a_tls_clause_when_encrypted);
	tcase_add_test(tc, lets_no_name_say_what_only_we_know);
	tcase_add_test(tc, stays_one_field_whatever_it_is_given);
	tcase_add_test(tc, knows_the_words_of_rfc_3848_and_6531);
}

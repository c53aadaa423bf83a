#include <string.h>

#include "mail/hop.h"
#include "unit.h"

struct sample {
	const char *value;
	const char *from, *from_info;
	const char *by, *with;
	const char *version, *cipher, *bits;
	enum hop_tls tls;
};

/* In the shape that each server writes; names and addresses are ours. */
static const struct sample samples[] = {
	{ "from client.example (mail.client.example [192.0.2.7])\r\n\t"
	    "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
	    "bits))\r\n\tby mx.example.com (Postern) with ESMTPS "
	    "id 42\r\n\tfor <a@example.org>; Tue, 17 Apr 2018 00:57:53 "
	    "+0000",
	    "client.example", "mail.client.example [192.0.2.7]",
	    "mx.example.com", "ESMTPS",
	    "TLSv1.3", "TLS_AES_256_GCM_SHA384", "256/256", HOP_ENCRYPTED },
	{ "from client.example (unknown [IPv6:2001:db8::1])\r\n\t"
	    "by mx.example.com (Postern) with ESMTP id 43;\r\n\tTue, "
	    "17 Apr 2018 00:57:53 +0000",
	    "client.example", "unknown [IPv6:2001:db8::1]",
	    "mx.example.com", "ESMTP",
	    "", "", "", HOP_CLEAR },
	{ "from out.example.org (out.example.org [198.51.100.4])\r\n\t"
	    "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
	    "bits)\r\n\t key-exchange X25519 server-signature RSA-PSS "
	    "(2048 bits) server-digest SHA256)\r\n\t(No client certificat"
	    "e requested)\r\n\tby mail.example.com (Postfix) with "
	    "ESMTPS id 4XyZ1\r\n\tfor <u@example.com>; Sat, 21 Nov "
	    "2026 22:30:01 +0100 (CET)",
	    "out.example.org", "out.example.org [198.51.100.4]",
	    "mail.example.com", "ESMTPS",
	    "TLSv1.3", "TLS_AES_256_GCM_SHA384", "256/256", HOP_ENCRYPTED },
	{ "from seed (unknown [10.0.0.1])\r\n\t(using TLSv1 with "
	    "cipher EDH-RSA-DES-CBC3-SHA (168/168 bits))\r\n\t(Client "
	    "CN \"seed\", Issuer \"ca\" (not verified))\r\n\tby gw.exampl"
	    "e.com (Postfix) with ESMTP id 1234; Mon, 16 Apr 2018 "
	    "19:57:53 -0500",
	    "seed", "unknown [10.0.0.1]",
	    "gw.example.com", "ESMTP",
	    "TLSv1", "EDH-RSA-DES-CBC3-SHA", "168/168", HOP_ENCRYPTED },
	{ "by host.example.com (Postfix, from userid 1000)\r\n\t"
	    "id 9ABC; Sat, 21 Nov 2026 22:30:00 +0000 (UTC)",
	    "", "",
	    "host.example.com", "",
	    "", "", "", HOP_LOCAL },
	{ "from [192.0.2.9] (port=41234 helo=laptop)\r\n\tby mx.example"
	    ".net with esmtpsa  (TLS1.3) tls TLS_AES_128_GCM_SHA256\r\n\t"
	    "(Exim 4.96)\r\n\t(envelope-from <a@example.net>)\r\n\t"
	    "id 1rXyZ-000123-AB\r\n\tfor b@example.com;\r\n\tSat, "
	    "21 Nov 2026 22:30:00 +0000",
	    "[192.0.2.9]", "port=41234 helo=laptop",
	    "mx.example.net", "esmtpsa",
	    "TLSv1.3", "TLS_AES_128_GCM_SHA256", "", HOP_ENCRYPTED },
	{ "from mail.example.org ([198.51.100.8])\r\n\tby mx.example.ne"
	    "t with esmtps (TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256)\r\n\t"
	    "(Exim 4.89)\r\n\tid 1abcd-0001-XY\r\n\tfor b@example.com; "
	    "Sat, 21 Nov 2026 22:30:00 +0000",
	    "mail.example.org", "[198.51.100.8]",
	    "mx.example.net", "esmtps",
	    "TLSv1.2", "ECDHE_RSA_AES_256_GCM_SHA384", "256", HOP_ENCRYPTED },
	{ "from root by host.example.net with local (Exim 4.96)\r\n\t"
	    "id 1abcd-0002-XY; Sat, 21 Nov 2026 22:30:00 +0000",
	    "root", "",
	    "host.example.net", "local",
	    "", "", "", HOP_LOCAL },
	{ "from out.example.org (out.example.org [198.51.100.4])\r\n\t"
	    "by mx.example.com (8.17.1/8.17.1) with ESMTPS id 0AL1\r\n\t"
	    "(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 "
	    "verify=NO)\r\n\tfor <u@example.com>; Sat, 21 Nov 2026 "
	    "22:30:00 GMT",
	    "out.example.org", "out.example.org [198.51.100.4]",
	    "mx.example.com", "ESMTPS",
	    "TLSv1.3", "TLS_AES_256_GCM_SHA384", "256", HOP_ENCRYPTED },
	{ "from mail-sor-f41.example.com (mail-sor-f41.example.com. "
	    "[209.0.113.41])\r\n        by mx.example.com with ESMTPS "
	    "id a1-2002a1sor1.2.2026.11.21\r\n        for <u@example.com>"
	    "\r\n        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 "
	    "bits=128/128);\r\n        Sat, 21 Nov 2026 14:30:00 "
	    "-0800 (PST)",
	    "mail-sor-f41.example.com",
	    "mail-sor-f41.example.com. [209.0.113.41]",
	    "mx.example.com", "ESMTPS",
	    "TLSv1.3", "TLS_AES_128_GCM_SHA256", "128/128", HOP_ENCRYPTED },
	{ "by 2002:a05:6402:1234:b0:5aa:bb:cc with SMTP id x12csp1234;\r"
	    "\n        Sat, 21 Nov 2026 14:30:01 -0800 (PST)",
	    "", "",
	    "2002:a05:6402:1234:b0:5aa:bb:cc", "SMTP",
	    "", "", "", HOP_LOCAL },
	{ "from AM0PR01.prod.example.com\r\n (2603:10a6:208:11::22) "
	    "by VI1PR01.prod.example.com\r\n (2603:10a6:800:11::33) "
	    "with Microsoft SMTP Server (version=TLS1_2,\r\n cipher=TLS_E"
	    "CDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.8182.12; "
	    "Sat, 21 Nov\r\n 2026 22:30:00 +0000",
	    "AM0PR01.prod.example.com", "2603:10a6:208:11::22",
	    "VI1PR01.prod.example.com", "Microsoft SMTP Server",
	    "TLSv1.2",
	    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "", HOP_ENCRYPTED },
	{ "from hub.example.com ([10.1.2.3]) by edge.example.com "
	    "([10.1.2.4])\r\n with Microsoft SMTP Server (TLS) id "
	    "8.1.436.0; Sat, 21 Nov 2026 22:30:00 +0000",
	    "hub.example.com", "[10.1.2.3]",
	    "edge.example.com", "Microsoft SMTP Server",
	    "TLS", "", "", HOP_ENCRYPTED },
	{ "from hub.example.com ([10.1.2.3]) by edge.example.com "
	    "([10.1.2.4])\r\n with Microsoft SMTP Server id 8.1.436.0; "
	    "Sat, 21 Nov 2026 22:30:00 +0000",
	    "hub.example.com", "[10.1.2.3]",
	    "edge.example.com", "Microsoft SMTP Server",
	    "", "", "", HOP_CLEAR },
	{ "from MB1.example.com ([fe80::1]) by MB1.example.com\r\n "
	    "([fe80::1%7]) with mapi id 15.02.1544.011; Sat, 21 Nov "
	    "2026 22:30:00 +0000",
	    "MB1.example.com", "[fe80::1]",
	    "MB1.example.com", "mapi",
	    "", "", "", HOP_UNKNOWN },
	{ "from localhost (out.example.org [198.51.100.4])\r\n\t"
	    "by mx.example.com (OpenSMTPD) with ESMTPS id 1a2b3c4d "
	    "(TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:256:NO)\r\n\tfor "
	    "<u@example.com>;\r\n\tSat, 21 Nov 2026 22:30:00 +0000 "
	    "(UTC)",
	    "localhost", "out.example.org [198.51.100.4]",
	    "mx.example.com", "ESMTPS",
	    "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "256", HOP_ENCRYPTED },
	{ "from unknown (HELO out.example.org) (198.51.100.4)\r\n "
	    " by mx.example.com with (TLS_AES_256_GCM_SHA384 encrypted) "
	    "SMTP; 21 Nov 2026 22:30:00 -0000",
	    "unknown", "HELO out.example.org",
	    "mx.example.com", "SMTP",
	    "", "TLS_AES_256_GCM_SHA384", "", HOP_ENCRYPTED },
	{ "from out.example.org ([198.51.100.4])\r\n  by esa.example.co"
	    "m with ESMTP/TLS/DHE-RSA-AES256-GCM-SHA384; 21 Nov 2026 "
	    "22:30:00 +0000",
	    "out.example.org", "[198.51.100.4]",
	    "esa.example.com", "ESMTP/TLS/DHE-RSA-AES256-GCM-SHA384",
	    "TLS", "DHE-RSA-AES256-GCM-SHA384", "", HOP_ENCRYPTED },
	{ "from \303\266.example ([198.51.100.4]) by mx.example.com "
	    "with UTF8SMTPSA id 7; 21 Nov 2026 22:30:00 +0000",
	    "\303\266.example", "[198.51.100.4]",
	    "mx.example.com", "UTF8SMTPSA",
	    "", "", "", HOP_ENCRYPTED },
	{ "from a.example ([198.51.100.4]) by mx.example.com with "
	    "UTF8SMTP id 7; 21 Nov 2026 22:30:00 +0000",
	    "a.example", "[198.51.100.4]",
	    "mx.example.com", "UTF8SMTP",
	    "", "", "", HOP_CLEAR },
	{ "from a.example ([127.0.0.1]) by store.example.com with "
	    "LMTPS id 7; 21 Nov 2026 22:30:00 +0000",
	    "a.example", "[127.0.0.1]",
	    "store.example.com", "LMTPS",
	    "", "", "", HOP_ENCRYPTED },
	{ "from mx.example.com ([127.0.0.1])\r\n\tby mx.example.com "
	    "with LMTP\r\n\tid AbCdEf\r\n\t(envelope-from <a@b.c>)\r\n\t"
	    "for <u@example.com>; Sat, 21 Nov 2026 22:30:00 +0000",
	    "mx.example.com", "[127.0.0.1]",
	    "mx.example.com", "LMTP",
	    "", "", "", HOP_CLEAR },
	{ "from x ([192.0.2.6] helo=version=TLSv1.3 cipher=AES) "
	    "by mx.example.com with ESMTP id 5; 21 Nov 2026 22:30:00 "
	    "+0000",
	    "x", "[192.0.2.6] helo=version=TLSv1.3 cipher=AES",
	    "mx.example.com", "ESMTP",
	    "", "", "", HOP_CLEAR },
	{ "from x ([192.0.2.6]) by mx.example.com with ESMTP id "
	    "5 for <\"(TLSv1.3)\"@example.com>; 21 Nov 2026 22:30:00 "
	    "+0000",
	    "x", "[192.0.2.6]",
	    "mx.example.com", "ESMTP",
	    "", "", "", HOP_CLEAR },
	{ "from x ([192.0.2.6]) by mx.example.com; 21 Nov 2026 "
	    "22:30:00 +0000",
	    "x", "[192.0.2.6]",
	    "mx.example.com", "",
	    "", "", "", HOP_UNKNOWN },
	{ "\001\002;;;((((",
	    "", "",
	    "", "",
	    "", "", "", HOP_UNKNOWN },
	{ "",
	    "", "",
	    "", "",
	    "", "", "", HOP_UNKNOWN },
	{ "from a (b by c with ESMTPS",
	    "a", "",
	    "", "",
	    "", "", "", HOP_UNKNOWN },
};

static struct pool *pool;

static void
begin(void)
{
	pool = pool_new(0);
}

static void
end(void)
{
	pool_destroy(&pool);
}

static void
same(struct str got, const char *want)
{
	ck_assert_msg(str_eq_c(got, want), "%.*s, not %s", STR_FMT(got), want);
}

START_TEST(reads_the_field_of_each_kind_of_server)
{
	const struct sample *s = &samples[_i];
	struct hop h;

	hop_parse(pool, str_c(s->value), &h);
	same(h.from, s->from);
	same(h.from_info, s->from_info);
	same(h.by, s->by);
	same(h.with, s->with);
	same(h.version, s->version);
	same(h.cipher, s->cipher);
	same(h.bits, s->bits);
	ck_assert_int_eq(h.tls, s->tls);
	ck_assert_int_eq(h.dated, strstr(s->value, "Nov") != NULL ||
	    strstr(s->value, "Apr") != NULL);
}
END_TEST

START_TEST(reads_what_is_left_of_a_field_cut_anywhere)
{
	struct str value = str_c(samples[2].value);
	struct hop h;
	size_t n;

	for (n = 0; n <= value.n; n++) {
		hop_parse(pool, str_n(value.p, n), &h);
		ck_assert(hop_tls_word(h.tls)[0] != '\0');
	}
}
END_TEST

START_TEST(dates_are_in_utc)
{
	struct hop h;

	hop_parse(pool, STR("from a by b; Tue, 17 Apr 2018 02:57:53 +0200"),
	    &h);
	ck_assert(h.dated);
	ck_assert_int_eq(h.when, 1523926673000);
}
END_TEST

UNIT_SUITE(hop)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, reads_the_field_of_each_kind_of_server, 0,
	    sizeof(samples) / sizeof(samples[0]));
	tcase_add_test(tc, reads_what_is_left_of_a_field_cut_anywhere);
	tcase_add_test(tc, dates_are_in_utc);
}

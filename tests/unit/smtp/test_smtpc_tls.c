#include <string.h>

#include "talk.h"
#include "unit.h"

#define OFFER                                                                  \
	"S220 mx.test", "CEHLO me.test", "S250-mx.test", "S250-SIZE 3",        \
	    "S250 STARTTLS", "CSTARTTLS"
#define END "closed nothing\n"
#define BYE "CQUIT", "S221 bye", NULL
#define UP  "connected\ntls TLSv1.3\n"
#define REFUSED(said)                                                          \
	" TLS_REFUSED 4.7.4|STARTTLS unexpected response|"                     \
	"while sending STARTTLS" said "\n"
#define UNKNOWN REFUSED(" [starttls-blocked 500 5.5.1 what]")
#define NOT_OFFERED                                                            \
	" TLS_REFUSED 4.7.4|STARTTLS not offered|while sending EHLO "          \
	"[starttls-not-supported]\n"
#define NO_ESMTP                                                               \
	" TLS_REFUSED 4.7.4|ESMTP not supported|while sending EHLO "           \
	"[esmtp-not-supported 502 what]\n"
#define MASKED                                                                 \
	" TLS_REFUSED 4.7.4|STARTTLS not offered (masked; a middlebox is "     \
	"suspected)|while sending EHLO [starttls-blocked]\n"
#define CUT                                                                    \
	" LOST 4.7.4|STARTTLS is masked or cut off; a middlebox is suspected " \
	"(connection lost)|while sending STARTTLS [starttls-blocked]\n"
#define INJECTED                                                               \
	" TLS 4.7.5|clear text behind STARTTLS|during the TLS handshake "      \
	"[starttls-injection begun]\n"

static struct tlsctx *server, *client;

static void
make_contexts(void)
{
	struct tlsctx_conf conf = { .server = false };
	struct err why = ERR_INIT;

	ck_assert_msg(tlsctx_new_selfsigned(&server, "mx.test", &why) == 0,
	    "%s", why.text);
	ck_assert_msg(tlsctx_new(&client, &conf, &why) == 0, "%s", why.text);
}

static void
drop_contexts(void)
{
	tlsctx_unref(&server);
	tlsctx_unref(&client);
}

static const struct {
	enum tlswant_level level;
	bool avoid, implicit;
	const char *script[30];
	const char *told;
} talked[] = {
	/* up, and what was offered before is forgotten: SIZE */
	{ .level = TLSWANT_REQUIRED,
	    .script = { OFFER, "S220 go", "T", "CEHLO me.test", "S250 mx",
		"CMAIL FROM:<a@x>", "S250 a", "CRCPT TO:<b@y>", "S250 b",
		"CDATA", "S354 go", "Bhello\r\n.\r\n", "S250 ok", BYE },
	    .told = UP "ready\nrcpt 0 250 |b|while sending RCPT TO\n"
		       "done 250 |ok|while sending end of data\n" END },
	{ .level = TLSWANT_OPPORTUNISTIC,
	    .script = { OFFER, "S220 go", "T", "CEHLO me.test", "S250 SIZE 3",
		"CMAIL FROM:<a@x>", "S550 a", BYE },
	    .told = UP "ready\ndone 550 |a|while sending MAIL FROM\n" END },
	{ .level = TLSWANT_NONE,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-mx.test",
		"S250 STARTTLS", "CMAIL FROM:<a@x>", "S550 a", BYE },
	    .told =
		"connected\nready\ndone 550 |a|while sending MAIL FROM\n" END },
	/* clear text after a failed handshake, where that may be */
	{ .level = TLSWANT_OPPORTUNISTIC,
	    .avoid = true,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-mx.test",
		"S250 STARTTLS", "CMAIL FROM:<a@x>", "S550 a", BYE },
	    .told =
		"connected\nready\ndone 550 |a|while sending MAIL FROM\n" END },
	{ .level = TLSWANT_REQUIRED,
	    .avoid = true,
	    .script = { OFFER, "S454 4.7.0 no", "CQUIT", NULL },
	    .told = "connected\ntls" REFUSED(" [starttls-refused 454 4.7.0 no]")
		"closed" REFUSED(" [starttls-refused 454 4.7.0 no]") },
	/* refused before the 220 */
	{ .level = TLSWANT_PREFERRED,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-x",
		"S250 STARTTLS", "CSTARTTLS", "S554 no", "CMAIL FROM:<a@x>",
		"S550 a", BYE },
	    .told = "connected\ntls" REFUSED(" [starttls-refused 554 no]")
		"ready\ndone 550 |a|while sending MAIL FROM\n" END },
	{ .level = TLSWANT_PREFERRED_VERIFY,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-x",
		"S250 STARTTLS", "CSTARTTLS", "S501 no", "CMAIL FROM:<a@x>",
		"S550 a", BYE },
	    .told = "connected\ntls" REFUSED(" [starttls-refused 501 no]")
		"ready\ndone 550 |a|while sending MAIL FROM\n" END },
	{ .level = TLSWANT_REQUIRED,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250 mx", "CQUIT",
		NULL },
	    .told = "connected\ntls" NOT_OFFERED "closed" NOT_OFFERED },
	{ .level = TLSWANT_REQUIRED_VERIFY,
	    .script = { "S220 mx.test", "CEHLO me.test", "S502 what", "CQUIT",
		NULL },
	    .told = "connected\ntls" NO_ESMTP "closed" NO_ESMTP },
	{ .level = TLSWANT_REQUIRED,
	    .script = { OFFER, "S421 bye", NULL },
	    .told = "connected\ntls" REFUSED(" [starttls-refused 421 bye]")
		"closed" REFUSED(" [starttls-refused 421 bye]") },
	{ .level = TLSWANT_PREFERRED,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-x",
		"S250 STARTTLS", "CSTARTTLS", "S421 bye", NULL },
	    .told = "connected\ntls" REFUSED(" [starttls-refused 421 bye]")
		"closed" REFUSED(" [starttls-refused 421 bye]") },
	{ .level = TLSWANT_REQUIRED,
	    .script = { OFFER, "S334 what", "CQUIT", NULL },
	    .told = "connected\ntls" REFUSED(" [starttls-refused 334 what]")
		"closed" REFUSED(" [starttls-refused 334 what]") },
	/* masked, or cut off: not the host's own doing */
	{ .level = TLSWANT_REQUIRED,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-mx.test",
		"S250 XXXXXXXA", "CQUIT", NULL },
	    .told = "connected\ntls" MASKED "closed" MASKED },
	{ .level = TLSWANT_PREFERRED,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-mx.test",
		"S250 XXXXXXXXXXX", "CMAIL FROM:<a@x>",
		"S550 a", BYE },
	    .told = "connected\ntls" MASKED
		"ready\ndone 550 |a|while sending MAIL FROM\n" END },
	{ .level = TLSWANT_REQUIRED,
	    .script = { OFFER, "S500 5.5.1 what", "CQUIT", NULL },
	    .told = "connected\ntls" UNKNOWN "closed" UNKNOWN },
	{ .level = TLSWANT_OPPORTUNISTIC,
	    .script = { "S220 mx.test", "CEHLO me.test", "S250-x",
		"S250 STARTTLS", "CSTARTTLS", "S502 what", "CMAIL FROM:<a@x>",
		"S550 a", BYE },
	    .told = "connected\ntls" REFUSED(" [starttls-blocked 502 what]")
		"ready\ndone 550 |a|while sending MAIL FROM\n" END },
	{ .level = TLSWANT_PREFERRED,
	    .script = { OFFER, "X", NULL },
	    .told = "connected\ntls" CUT "closed" CUT },
	{ .level = TLSWANT_REQUIRED,
	    .script = { OFFER, "X", NULL },
	    .told = "connected\ntls" CUT "closed" CUT },
	{ .level = TLSWANT_REQUIRED,
	    .script = { OFFER, "Rx220 go\r\n", NULL },
	    .told = "connected\nclosed PROTOCOL 4.5.0|protocol error: a "
		    "reply does not begin with a code|while sending "
		    "STARTTLS [starttls-blocked]\n" },
	/* said by somebody else */
	{ .level = TLSWANT_OPPORTUNISTIC,
	    .script = { OFFER, "R220 go\r\n250 mx\r\n", NULL },
	    .told = "connected\ntls" INJECTED "closed" INJECTED },
	/* TLS from the first octet */
	{ .level = TLSWANT_REQUIRED,
	    .implicit = true,
	    .script = { "T", "S220 mx.test", "CEHLO me.test", "S250 STARTTLS",
		"CMAIL FROM:<a@x>", "S550 a", BYE },
	    .told = UP "ready\ndone 550 |a|while sending MAIL FROM\n" END },
};

static const struct talk_message message = {
	.from = "a@x", .to = { "b@y" }, .body = "hello\r\n"
};

START_TEST(protects_as_written)
{
	struct talk t;

	make_contexts();
	talk_init(&t);
	t.script = talked[_i].script;
	t.message = &message;
	t.messages = 1;
	t.conf.want.level = talked[_i].level;
	t.conf.avoid_tls = talked[_i].avoid;
	t.conf.implicit_tls = talked[_i].implicit;
	t.conf.tlsctx = client;
	t.server_tls = server;
	talk_check(&t, talked[_i].told);
	drop_contexts();
}
END_TEST

/* In place of a handshake the server says something else, or goes. */
static const struct {
	enum tlswant_level level;
	const char *script[14];
} failing[] = {
	{ TLSWANT_OPPORTUNISTIC, { OFFER, "S220 go", "D", "S250 mx", NULL } },
	{ TLSWANT_OPPORTUNISTIC, { OFFER, "S220 go", "X", NULL } },
	{ TLSWANT_PREFERRED, { OFFER, "S220 go", "X", NULL } },
	{ TLSWANT_REQUIRED, { OFFER, "S220 go", "X", NULL } },
	{ TLSWANT_REQUIRED_VERIFY, { OFFER, "S220 go", "T", NULL } },
};

START_TEST(says_nothing_in_clear_after_the_220)
{
	struct talk t;

	make_contexts();
	talk_init(&t);
	t.script = failing[_i].script;
	t.message = &message;
	t.messages = 1;
	t.conf.want.level = failing[_i].level;
	t.conf.tlsctx = client;
	t.server_tls = server;
	t.hello_is_enough = true;
	talk_run(&t);
	ck_assert_ptr_nonnull(
	    strstr(buf_p(&t.told), "connected\ntls TLS 4.7.5|"));
	ck_assert_ptr_nonnull(strstr(buf_p(&t.told), "closed TLS 4.7.5|"));
	ck_assert_ptr_null(strstr(buf_p(&t.told), "ready"));
	ck_assert(!t.spoke_clear);
	talk_fini(&t);
	drop_contexts();
}
END_TEST

/* Whatever is said or not said after the 220. */
static const struct {
	const char *script[14];
	const char *reason;
} mute[] = {
	{ { OFFER, "S220 go", NULL }, "[starttls-blocked begun]" },
	{ { OFFER, "S220 go", "D", "R\x16\x03\x03", NULL },
	    "[timeout begun]" },
};

START_TEST(tells_a_peer_that_never_answers_from_one_that_stops)
{
	struct talk t;

	make_contexts();
	talk_init(&t);
	t.script = mute[_i].script;
	t.conf.want.level = TLSWANT_OPPORTUNISTIC;
	t.conf.tlsctx = client;
	t.conf.timeout_scale = 0.01;
	t.hello_is_enough = true;
	talk_run(&t);
	ck_assert_ptr_nonnull(strstr(buf_p(&t.told), mute[_i].reason));
	ck_assert(!t.spoke_clear);
	talk_fini(&t);
	drop_contexts();
}
END_TEST

static const struct {
	const char *user;
	enum tlswant_level level;
	const char *script[30];
	const char *told;
} auths[] = {
	{ "u", TLSWANT_REQUIRED,
	    { OFFER, "S220 go", "T", "CEHLO me.test", "S250-mx",
		"S250 AUTH LOGIN PLAIN", "CAUTH PLAIN AHUAc2VjcmV0",
		"S235 2.7.0 in", BYE },
	    UP "ready\n" END },
	{ "u", TLSWANT_REQUIRED,
	    { OFFER, "S220 go", "T", "CEHLO me.test", "S250-mx",
		"S250 AUTH LOGIN", "CAUTH LOGIN", "S334 VXNlcm5hbWU6",
		"CdQ==", "S334 UGFzc3dvcmQ6", "Cc2VjcmV0", "S235 in", BYE },
	    UP "ready\n" END },
	{ "u", TLSWANT_REQUIRED,
	    { OFFER, "S220 go", "T", "CEHLO me.test", "S250-mx",
		"S250 AUTH PLAIN", "CAUTH PLAIN AHUAc2VjcmV0",
		"S535 5.7.8 wrong", "CQUIT", NULL },
	    UP "closed 535 5.7.8|5.7.8 wrong|while sending AUTH\n" },
	{ "u", TLSWANT_REQUIRED,
	    { OFFER, "S220 go", "T", "CEHLO me.test", "S250-mx",
		"S250 AUTH PLAIN", "CAUTH PLAIN AHUAc2VjcmV0", "S334 more",
		NULL },
	    UP "closed PROTOCOL 4.5.0|protocol error: unexpected 3yz reply|"
	       "while sending AUTH\n" },
	{ "u", TLSWANT_REQUIRED,
	    { OFFER, "S220 go", "T", "CEHLO me.test", "S250-mx",
		"S250 AUTH GSSAPI", "CQUIT", NULL },
	    UP "closed AUTH 4.7.4|neither AUTH PLAIN nor AUTH LOGIN is "
	       "offered|while sending EHLO\n" },
	/* never in clear */
	{ "u", TLSWANT_OPPORTUNISTIC,
	    { "S220 mx.test", "CEHLO me.test", "S250-mx", "S250 AUTH PLAIN",
		"CQUIT", NULL },
	    "connected\nclosed AUTH 4.7.11|no AUTH without TLS|"
	    "while sending EHLO\n" },
};

START_TEST(authenticates_as_written)
{
	struct talk t;

	make_contexts();
	talk_init(&t);
	t.script = auths[_i].script;
	t.conf.want.level = auths[_i].level;
	t.conf.tlsctx = client;
	t.conf.auth_user = auths[_i].user;
	t.conf.auth_password = "secret";
	t.server_tls = server;
	talk_check(&t, auths[_i].told);
	drop_contexts();
}
END_TEST

UNIT_SUITE(smtpc_tls)
{
	tcase_add_loop_test(
	    tc, protects_as_written, 0, sizeof(talked) / sizeof(talked[0]));
	tcase_add_loop_test(tc, says_nothing_in_clear_after_the_220, 0,
	    sizeof(failing) / sizeof(failing[0]));
	tcase_add_loop_test(tc,
	    tells_a_peer_that_never_answers_from_one_that_stops, 0,
	    sizeof(mute) / sizeof(mute[0]));
	tcase_add_loop_test(
	    tc, authenticates_as_written, 0, sizeof(auths) / sizeof(auths[0]));
}

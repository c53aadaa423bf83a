/*
 * The server's conversations. Each is played in turns, pipelined, cut at each
 * octet, with answers at once and later: see transcript.h.
 */
#include "transcript.h"
#include "unit.h"

static void
nothing_offered(struct fake *f)
{
	f->conf.etrn = f->conf.dsn = f->conf.chunking = false;
	f->conf.smtputf8 = f->conf.limits = false;
	f->conf.banner_host = "relay.example";
	f->conf.banner_text = "ready";
}

static void
tls_required_unusable(struct fake *f)
{
	f->conf.tls = SMTPD_TLS_REQUIRED;
}

static void
tls_preferred_unusable(struct fake *f)
{
	f->conf.tls = SMTPD_TLS_PREFERRED;
	f->conf.auth = true;
}

static void
refusing(struct fake *f)
{
	f->connect.act = SMTPD_REFUSE;
	(void)err_set(&f->connect.reply, 554, "5.7.1", "Not you");
}

static void
shutting(struct fake *f)
{
	f->connect.act = SMTPD_CLOSE;
	(void)err_set(&f->connect.reply, 421, "4.7.0", "Too busy");
}

static void
eom_text(struct fake *f)
{
	(void)err_set(&f->eom.reply, 250, "2.0.0", "Ok: queued as 17");
}

static void
eom_full(struct fake *f)
{
	f->eom.act = SMTPD_REFUSE;
	(void)err_set(&f->eom.reply, 452, "4.3.1", "Disk full");
}

static void
eom_mute(struct fake *f)
{
	f->eom.act = SMTPD_REFUSE;
}

static void
etrn_count(struct fake *f)
{
	(void)err_set(&f->etrn.reply, 253, "", "17 messages for node started");
}

static void
etrn_denied(struct fake *f)
{
	f->etrn.act = SMTPD_REFUSE;
	(void)err_set(&f->etrn.reply, 459, "4.7.1", "Not for you");
}

static void
etrn_mute(struct fake *f)
{
	f->etrn.act = SMTPD_REFUSE;
}

#define HELLO "S: 220 mx.example ESMTP Postern", "H: "
#define BYE "C: QUIT", "S: 221 2.0.0 Closing connection", "X: "
#define FROM "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 Sender ok"
#define TO "C: RCPT TO:<d@e.f>", "S: 250 2.1.5 Recipient ok"
#define DATA "C: DATA", "S: 354 End data with <CR><LF>.<CR><LF>"
#define DONE "S: 250 2.0.0 Message accepted"

static const struct transcript cases[] = {
{ "a message", NULL, {
	"S: 220 mx.example ESMTP Postern", "C: EHLO client.example",
	"S: 250-mx.example", "S: 250-PIPELINING", "S: 250-SIZE 1000000",
	"S: 250-ETRN", "S: 250-8BITMIME", "S: 250-ENHANCEDSTATUSCODES",
	"S: 250-DSN", "S: 250-CHUNKING", "S: 250-SMTPUTF8",
	"S: 250 LIMITS RCPTMAX=100",
	FROM, TO, DATA, "C: Subject: x", "C: ", "C: ..dot", "C: end", "C: .",
	DONE, BYE,
	"O: connect", "O: ehlo client.example", "O: mail <a@b.c>",
	"O: rcpt 0 <d@e.f>", "O: data", "O: eom <a@b.c> <d@e.f> 25",
	"O: Subject: x\r\n\r\n.dot\r\nend\r\n|", "O: close quit" } },
{ "nothing offered, own banner", nothing_offered, {
	"S: 220 relay.example ESMTP ready", "C: EHLO c",
	"S: 250-relay.example", "S: 250-PIPELINING", "S: 250-SIZE 1000000",
	"S: 250-8BITMIME", "S: 250 ENHANCEDSTATUSCODES",
	"C: ETRN a.b", "S: 502 5.5.1 Command not implemented",
	"C: STARTTLS", "S: 502 5.5.1 Command not implemented",
	"C: AUTH PLAIN", "S: 502 5.5.1 Command not implemented",
	"C: MAIL FROM:<a@b.c> RET=FULL", "S: 555 5.5.4 Unsupported parameter",
	"C: MAIL FROM:<a@b.c> ENVID=x", "S: 555 5.5.4 Unsupported parameter",
	"C: MAIL FROM:<a@b.c> SMTPUTF8", "S: 555 5.5.4 Unsupported parameter",
	FROM,
	"C: RCPT TO:<d@e.f> NOTIFY=NEVER",
	"S: 555 5.5.4 Unsupported parameter", TO,
	"C: BDAT 6", "S: 502 5.5.1 Command not implemented", "R: RSET\r\n",
	"C: BDAT 6 LAST", "S: 502 5.5.1 Command not implemented",
	"R: QUIT\r\n", BYE } },
{ "HELO", NULL, {
	"S: 220 mx.example ESMTP Postern", "C: helo me", "S: 250 mx.example",
	FROM, TO, BYE,
	"O: connect", "O: helo me", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: abort <a@b.c>", "O: close quit" } },
{ "names that are no names", NULL, {
	"S: 220 mx.example ESMTP Postern",
	"C: EHLO", "S: 501 5.5.4 Syntax: EHLO hostname",
	"C: HELO", "S: 501 5.5.4 Syntax: HELO hostname",
	"C: EHLO   ", "S: 501 5.5.4 Syntax: EHLO hostname",
	"C: EHLO a b", "S: 501 5.5.4 Host name has bad characters",
	"C: EHLO \x7f", "S: 501 5.5.4 Host name has bad characters",
	"C: EHLO \xc3\xa4", "S: 501 5.5.4 Host name has bad characters",
	"C: MAIL FROM:<>", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: HELO [::1]_(x)", "S: 250 mx.example", BYE } },
{ "hello refused", NULL, {
	"S: 220 mx.example ESMTP Postern",
	"C: EHLO nobody", "S: 550 5.7.1 Not wanted",
	"C: MAIL FROM:<>", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: HELO later", "S: 250 mx.example",
	"C: EHLO nobody", "S: 550 5.7.1 Not wanted",
	"C: MAIL FROM:<>", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: HELO close", "S: 421 4.7.0 Go away", "X: ",
	"O: connect", "O: ehlo nobody", "O: helo later", "O: ehlo nobody",
	"O: helo close", "O: close closed" } },
{ "order of commands", NULL, {
	"S: 220 mx.example ESMTP Postern",
	"C: RCPT TO:<a@b>", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: DATA", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: ETRN x.y", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: AUTH PLAIN", "S: 503 5.5.1 Send EHLO or HELO first",
	"C: RSET", "S: 250 2.0.0 Ok", "H: ",
	"C: RCPT TO:<a@b>", "S: 503 5.5.1 Send MAIL first",
	"C: DATA", "S: 503 5.5.1 Send MAIL first", FROM,
	"C: MAIL FROM:<>", "S: 503 5.5.1 Not while a message is being sent",
	"C: ETRN a.b", "S: 503 5.5.1 Not while a message is being sent",
	"C: DATA", "S: 503 5.5.1 Send RCPT first", TO,
	"C: MAIL FROM:<>", "S: 503 5.5.1 Not while a message is being sent",
	BYE } },
{ "RSET and EHLO end a transaction", NULL, {
	HELLO, FROM, TO, "C: RSET", "S: 250 2.0.0 Ok",
	"C: DATA", "S: 503 5.5.1 Send MAIL first", FROM, TO, "H: ",
	"C: DATA", "S: 503 5.5.1 Send MAIL first", FROM, BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: abort <a@b.c>", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: abort <a@b.c>", "O: ehlo c", "O: mail <a@b.c>",
	"O: abort <a@b.c>", "O: close quit" } },
{ "small verbs", NULL, {
	HELLO, "C: noop whatever it is", "S: 250 2.0.0 Ok",
	"C: VRFY joe", "S: 252 2.0.0 Cannot verify, but will try to deliver",
	"C: vrfy", "S: 501 5.5.4 Syntax: VRFY address",
	"C: EXPN list", "S: 502 5.5.1 Command not implemented",
	"C: TURN", "S: 502 5.5.1 Command not implemented",
	"C: Help me", "S: 214 2.0.0 See RFC 5321",
	"C: RSET now", "S: 501 5.5.4 RSET takes no argument",
	"C: QUIT now", "S: 501 5.5.4 QUIT takes no argument",
	"C: WHAT", "S: 500 5.5.1 Command unrecognized",
	"C: ", "S: 500 5.5.1 Command unrecognized",
	"C:  NOOP", "S: 500 5.5.1 Command unrecognized",
	"C: MAILFROM:<>", "S: 500 5.5.1 Command unrecognized", BYE } },
{ "no echo of what the client says", NULL, {
	HELLO, "C: \x1b]0;title\x07 \xff", "S: 500 5.5.1 Command unrecognized",
	"C: MAIL FROM:<\x1b[2J@b.c>", "S: 501 5.1.7 Sender ...", BYE } },
{ "a web page's request", NULL, {
	"S: 220 mx.example ESMTP Postern", "C: POST / HTTP/1.1",
	"S: 421 4.7.0 This is a mail server", "X: ", "C: EHLO x",
	"C: MAIL FROM:<a@b.c>", "O: connect", "O: close closed" } },
{ "bare line ends in commands", NULL, {
	HELLO, "R: NOOP\n", "S: 500 5.5.2 Line ends with something else...",
	"R: NOOP\nNOOP\rNOOP\r\n",
	"R: NOOP\rNOOP\r\n", "S: 500 5.5.2 Line ends with something else...",
	"R: \r\r\n", "S: 500 5.5.2 Line ends with something else...",
	"R: NOOP \\0 x\r\n", "S: 501 5.5.2 NUL in command",
	"R: MAIL FROM:<a@b.c>\\0 SIZE=1\r\n", "S: 501 5.5.2 NUL in command",
	"C: DATA", "S: 503 5.5.1 Send MAIL first", BYE } },
{ "MAIL parameters", NULL, {
	HELLO,
	"C: MAIL FROM:<a@b.c> SIZE=10 BODY=8bitmime RET=HDRS ENVID=a+2Bb",
	"S: 250 2.1.0 Sender ok", "C: RSET", "S: 250 2.0.0 Ok",
	"C: mail from: <> body=7BIT  AUTH=<> ret=full size=00",
	"S: 250 2.1.0 Sender ok", "C: RSET", "S: 250 2.0.0 Ok",
	"C: MAIL FROM:<\xc3\xa4@b.c> SMTPUTF8", "S: 250 2.1.0 Sender ok",
	"C: RCPT TO:<\xc3\xb6@b.c> ORCPT=utf-8;\xc3\xb6@b.c",
	"S: 250 2.1.5 Recipient ok", BYE,
	"O: connect", "O: ehlo c",
	"O: mail <a@b.c> size=10 flags=9 envid=a+b", "O: abort <a@b.c>",
	"O: mail <> flags=4", "O: abort <>",
	"O: mail <\xc3\xa4@b.c> flags=2",
	"O: rcpt 0 <\xc3\xb6@b.c> orcpt=utf-8;\xc3\xb6@b.c",
	"O: abort <\xc3\xa4@b.c>", "O: close quit" } },
{ "bad MAIL", NULL, {
	HELLO, "C: MAIL", "S: 501 5.5.4 Syntax: MAIL FROM:<address>",
	"C: MAIL TO:<a@b.c>", "S: 501 5.5.4 Syntax: MAIL FROM:<address>",
	"C: MAIL FROM:", "S: 501 5.1.7 ...",
	"C: MAIL FROM:a@b.c", "S: 501 5.1.7 ...",
	"C: MAIL FROM:<a@b.c", "S: 501 5.1.7 ...",
	"C: MAIL FROM:<a@b.c>x",
	"S: 501 5.5.4 Syntax: MAIL FROM:<address> parameters",
	"C: MAIL FROM:<\xc3\xa4@b.c>",
	"S: 553 5.6.7 Address needs the SMTPUTF8 parameter",
	"C: MAIL FROM:<a@b.c> FOO", "S: 555 5.5.4 Unsupported parameter",
	"C: MAIL FROM:<a@b.c> SIZE=1 size=1",
	"S: 501 5.5.4 Parameter SIZE given twice",
	"C: MAIL FROM:<a@b.c> AUTH=a+0Ab",
	"S: 501 5.5.4 Bad value of parameter AUTH",
	"C: MAIL FROM:<a@b.c> ENVID=a+0D+0Ab",
	"S: 501 5.5.4 Bad value of parameter ENVID",
	"C: MAIL FROM:<a@b.c> SIZE=1000001",
	"S: 552 5.3.4 Message size exceeds limit",
	"C: MAIL FROM:<a@b.c> SIZE=99999999999999999999",
	"S: 552 5.3.4 Message size exceeds limit",
	"C: MAIL FROM:<a@b.c> SIZE=1000000", "S: 250 2.1.0 Sender ok", BYE } },
{ "RCPT parameters", NULL, {
	HELLO, FROM,
	"C: RCPT TO:<d@e.f> NOTIFY=SUCCESS,delay ORCPT=rfc822;d+2B@e.f",
	"S: 250 2.1.5 Recipient ok",
	"C: RCPT TO:<postmaster> NOTIFY=NEVER", "S: 250 2.1.5 Recipient ok",
	"C: RCPT TO:<@x.y:a@[192.0.2.1]>", "S: 250 2.1.5 Recipient ok",
	"C: RCPT TO:<\"a b\"@c.d>", "S: 250 2.1.5 Recipient ok",
	BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>",
	"O: rcpt 0 <d@e.f> notify=a orcpt=rfc822;d+@e.f",
	"O: rcpt 1 <postmaster> notify=1", "O: rcpt 2 <a@[192.0.2.1]>",
	"O: rcpt 3 <\"a b\"@c.d>", "O: abort <a@b.c>", "O: close quit" } },
{ "bad RCPT", NULL, {
	HELLO, FROM, "C: RCPT", "S: 501 5.5.4 Syntax: RCPT TO:<address>",
	"C: RCPT TO:<>", "S: 501 5.1.3 ...",
	"C: RCPT TO:<a>", "S: 501 5.1.3 ...",
	"C: RCPT TO:<\xc3\xb6@b.c>", "S: 553 5.6.7 ...",
	"C: RCPT TO:<a@b.c>NOTIFY=NEVER",
	"S: 501 5.5.4 Syntax: RCPT TO:<address> parameters",
	"C: RCPT TO:<a@b.c> NOTIFY=NEVER,DELAY",
	"S: 501 5.5.4 Bad value of parameter NOTIFY",
	"C: RCPT TO:<a@b.c> ORCPT=rfc822;a+0A@b.c",
	"S: 501 5.5.4 Bad value of parameter ORCPT",
	"C: RCPT TO:<a@b.c> ORCPT=utf-8;\xc3\xb6",
	"S: 501 5.5.4 Bad value of parameter ORCPT",
	"C: RCPT TO:<a@b.c> SIZE=1", "S: 555 5.5.4 Unsupported parameter",
	"C: DATA", "S: 554 5.5.1 No valid recipients",
	TO, DATA, "C: .", DONE, BYE } },
{ "refused senders and recipients", NULL, {
	HELLO, "C: MAIL FROM:<no@b.c>", "S: 550 5.7.1 Not wanted",
	"C: MAIL FROM:<temp@b.c>", "S: 450 4.7.1 Not now",
	"C: MAIL FROM:<later@b.c>", "S: 250 2.1.0 Sender ok",
	"C: RCPT TO:<no@b.c>", "S: 550 5.7.1 Not wanted",
	"C: RCPT TO:<temp@b.c>", "S: 450 4.7.1 Not now",
	"C: DATA", "S: 554 5.5.1 No valid recipients",
	"C: RCPT TO:<later@b.c>", "S: 250 2.1.5 Recipient ok",
	"C: RCPT TO:<close@b.c>", "S: 421 4.7.0 Go away", "X: ",
	"O: connect", "O: ehlo c", "O: mail <no@b.c>", "O: mail <temp@b.c>",
	"O: mail <later@b.c>", "O: rcpt 0 <no@b.c>", "O: rcpt 0 <temp@b.c>",
	"O: rcpt 0 <later@b.c>", "O: rcpt 1 <close@b.c>",
	"O: abort <later@b.c>", "O: close closed" } },
{ "DATA refused", NULL, {
	HELLO, FROM, "C: RCPT TO:<datano@b.c>", "S: 250 2.1.5 Recipient ok",
	"C: DATA", "S: 550 5.7.1 Not wanted", "C: RSET", "S: 250 2.0.0 Ok",
	BYE } },
{ "words of the owner at the end", eom_text, {
	HELLO, FROM, TO, DATA, "C: .", "S: 250 2.0.0 Ok: queued as 17",
	FROM, TO, "C: BDAT 0 LAST", "S: 250 2.0.0 Ok: queued as 17", BYE } },
{ "disk full", eom_full, {
	HELLO, FROM, TO, DATA, "C: x", "C: .", "S: 452 4.3.1 Disk full",
	FROM, BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 3", "O: x\r\n|",
	"O: mail <a@b.c>", "O: abort <a@b.c>", "O: close quit" } },
{ "a refusal without words", eom_mute, {
	HELLO, FROM, TO, DATA, "C: .",
	"S: 451 4.3.0 Temporary failure, try again later", BYE } },
{ "several messages", NULL, {
	HELLO, FROM, TO, DATA, "C: one", "C: .", DONE,
	FROM, TO, "C: RCPT TO:<g@h.i>", "S: 250 2.1.5 Recipient ok", DATA,
	"C: two", "C: .", DONE, BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 5", "O: one\r\n|",
	"O: mail <a@b.c>", "O: rcpt 0 <d@e.f>", "O: rcpt 1 <g@h.i>",
	"O: data", "O: eom <a@b.c> <d@e.f> <g@h.i> 5", "O: two\r\n|",
	"O: close quit" } },
{ "greeted with a refusal", refusing, {
	"S: 554 5.7.1 Not you", "C: EHLO x",
	"S: 503 5.5.1 Session refused, only QUIT is left", "C: NOOP",
	"S: 250 2.0.0 Ok", "C: MAIL FROM:<>",
	"S: 503 5.5.1 Session refused, only QUIT is left",
	"R: BDAT 6\r\nQUIT\r\n",
	"S: 503 5.5.1 Session refused, only QUIT is left", BYE,
	"O: connect", "O: close quit" } },
{ "shown the door", shutting, {
	"S: 421 4.7.0 Too busy", "X: ", "C: EHLO x", "O: connect",
	"O: close closed" } },
{ "ETRN", NULL, {
	HELLO, "C: ETRN example.org", "S: 250 2.0.0 Queuing for node started",
	"C: etrn @example.org", "S: 250 2.0.0 Queuing for node started",
	"C: ETRN", "S: 501 5.5.4 Syntax: ETRN domain",
	"C: ETRN a b", "S: 501 5.5.4 Syntax: ETRN domain",
	"C: ETRN [192.0.2.1]", "S: 501 5.5.4 Syntax: ETRN domain",
	"C: ETRN #q", "S: 459 4.5.4 Named queues are not supported", BYE,
	"O: connect", "O: ehlo c", "O: etrn example.org",
	"O: etrn example.org and below", "O: close quit" } },
{ "ETRN with a number", etrn_count, {
	HELLO, "C: ETRN example.org",
	"S: 253 2.0.0 17 messages for node started", BYE } },
{ "ETRN denied", etrn_denied, {
	HELLO, "C: ETRN example.org", "S: 459 4.7.1 Not for you", BYE } },
{ "ETRN refused without words", etrn_mute, {
	HELLO, "C: ETRN example.org",
	"S: 458 4.3.0 Unable to queue messages for node", BYE } },
{ "TLS required", tls_required_unusable, {
	"S: 220 mx.example ESMTP Postern",
	"C: HELO x", "S: 530 5.7.0 Must issue a STARTTLS command first",
	"C: EHLO x", "S: 250-mx.example", "S: 250-PIPELINING",
	"S: 250-SIZE 1000000", "S: 250-ETRN", "S: 250-STARTTLS",
	"S: 250-8BITMIME", "S: 250-ENHANCEDSTATUSCODES", "S: 250-DSN",
	"S: 250-CHUNKING", "S: 250-SMTPUTF8", "S: 250 LIMITS RCPTMAX=100",
	"C: MAIL FROM:<>", "S: 530 5.7.0 Must issue a STARTTLS command first",
	"C: RSET", "S: 530 5.7.0 Must issue a STARTTLS command first",
	"C: AUTH PLAIN x", "S: 530 5.7.0 Must issue a STARTTLS command first",
	"R: BDAT 6 LAST\r\nQUIT\r\n",
	"S: 530 5.7.0 Must issue a STARTTLS command first",
	"C: NOOP", "S: 250 2.0.0 Ok",
	"C: STARTTLS x", "S: 501 5.5.4 STARTTLS takes no argument",
	"C: STARTTLS", "S: 454 4.7.0 TLS not available due to local problem",
	BYE, "O: connect", "O: ehlo x", "O: close quit" } },
{ "TLS preferred, but not usable", tls_preferred_unusable, {
	"S: 220 mx.example ESMTP Postern", "C: EHLO x", "S: 250-mx.example",
	"S: 250-PIPELINING", "S: 250-SIZE 1000000", "S: 250-ETRN",
	"S: 250-8BITMIME", "S: 250-ENHANCEDSTATUSCODES", "S: 250-DSN",
	"S: 250-CHUNKING", "S: 250-SMTPUTF8", "S: 250 LIMITS RCPTMAX=100",
	"C: STARTTLS", "S: 454 4.7.0 TLS not available due to local problem",
	"C: AUTH PLAIN x", "S: 502 5.5.1 Command not implemented", FROM,
	BYE } },
{ "STARTTLS when it is off", NULL, {
	HELLO, "C: STARTTLS x", "S: 501 5.5.4 STARTTLS takes no argument",
	"C: STARTTLS", "S: 502 5.5.1 Command not implemented", BYE } },
{ "BDAT", NULL, {
	HELLO, FROM, TO, "R: BDAT 11\r\none\r\n.\r\ntwo",
	"S: 250 2.0.0 11 octets received", "C: bdat 0",
	"S: 250 2.0.0 0 octets received", "C: NOOP", "S: 250 2.0.0 Ok",
	"R: BDAT 5 LAST\r\nx\r\n.\n", "S: 550 5.6.0 Message contains bare...",
	FROM, TO, "R: BDAT 6\r\nRSET\r\n", "S: 250 2.0.0 6 octets received",
	"R: BDAT 3 last\r\n..\n", "S: 550 5.6.0 Message contains bare...",
	BYE } },
{ "BDAT keeps every octet", NULL, {
	HELLO, FROM, TO, "R: BDAT 11\r\none\r\n.\r\ntwo",
	"S: 250 2.0.0 11 octets received",
	"R: BDAT 2 LAST\r\n\r\n", DONE,
	FROM, TO, "R: BDAT 5 LAST\r\n\r\n.\r\n", DONE,
	FROM, TO, "R: BDAT 3 LAST\r\nend", DONE, BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 13", "O: one\r\n.\r\ntwo\r\n|",
	"O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 5", "O: \r\n.\r\n|",
	"O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 3", "O: end|",
	"O: close quit" } },
{ "refused chunks are swallowed", NULL, {
	"S: 220 mx.example ESMTP Postern",
	"R: BDAT 6 LAST\r\nQUIT\r\n", "S: 503 5.5.1 Send EHLO or HELO first",
	"H: ", "R: BDAT 6\r\nQUIT\r\n", "S: 503 5.5.1 Send MAIL first",
	FROM, "R: BDAT 6\r\nQUIT\r\n", "S: 503 5.5.1 Send RCPT first",
	"C: RCPT TO:<no@x.y>", "S: 550 5.7.1 Not wanted",
	"R: BDAT 6 LAST\r\nQUIT\r\n", "S: 554 5.5.1 No valid recipients",
	"C: RCPT TO:<datano@x.y>", "S: 250 2.1.5 Recipient ok",
	"R: BDAT 6\r\nQUIT\r\n", "S: 550 5.7.1 Not wanted",
	"R: BDAT 6 LAST\r\nQUIT\r\n",
	"S: 503 5.5.1 A chunk was refused, send RSET",
	"C: MAIL FROM:<>", "S: 503 5.5.1 Finish with BDAT LAST, or send RSET",
	"C: RSET", "S: 250 2.0.0 Ok", FROM, BYE } },
{ "DATA and BDAT do not mix", NULL, {
	HELLO, FROM, TO, "R: BDAT 3\r\nabc", "S: 250 2.0.0 3 octets received",
	"C: DATA", "S: 503 5.5.1 Finish with BDAT LAST, or send RSET",
	"C: RCPT TO:<x@y.z>",
	"S: 503 5.5.1 Finish with BDAT LAST, or send RSET",
	"C: BDAT 0 LAST", DONE, BYE } },
{ "EHLO in the middle of chunks", NULL, {
	HELLO, FROM, TO, "R: BDAT 3\r\nabc", "S: 250 2.0.0 3 octets received",
	"H: ", FROM, BYE } },
{ "chunks whose size is unknown", NULL, {
	HELLO, "C: BDAT", "S: 501 5.5.4 Syntax: BDAT size [LAST]",
	"C: BDAT x", "S: 501 5.5.4 Syntax: BDAT size [LAST]",
	"C: BDAT -1", "S: 501 5.5.4 Syntax: BDAT size [LAST]",
	FROM, TO, "C: BDAT 99999999999999999999 LAST",
	"S: 421 4.5.4 Bad chunk size", "X: ", "C: QUIT" } },
{ "a chunk that is not quite the last", NULL, {
	HELLO, FROM, TO, "C: BDAT 3 LATS", "S: 421 4.5.4 Syntax: BDAT...",
	"X: " } },
};

START_TEST(says_what_is_written)
{
	transcript_play(&cases[_i]);
}
END_TEST

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

UNIT_SUITE(smtpd)
{
	tcase_add_loop_test(tc, says_what_is_written, 0, N_CASES);
}

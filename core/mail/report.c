#include "mail/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "mail/report_priv.h"

#define REPORT_MAX 65536
#define HUMAN_MAX 12288	 /* of the text for people */
#define STATUS_MAX 28672 /* of message/delivery-status */
#define TAIL 512	 /* kept for what closes a report */
#define LINE_MAX_PLAIN 900

/* A report that is being built. */
struct build {
	const struct report *r;
	struct buf *dst;
	size_t start; /* where it begins in dst */
	bool utf8;
	char boundary[80];
};

static void choose_boundary(struct build *b);
static void add_head(struct build *b);
static void add_type(struct build *b);
static const char *text_type(const struct build *b);
static void add_part(struct build *b, const char *type,
    const char *description, const char *encoding);
static void add_plain(struct build *b);
static void add_human(struct build *b);
static void add_status(struct build *b);
static void add_rcpt_status(struct build *b, const struct report_rcpt *rr);
static void add_returned(struct build *b);

int
report_build(struct buf *dst, const struct report *r, bool *utf8_r)
{
	struct build b = { .r = r, .dst = dst, .start = buf_len(dst) };
	unsigned i;

	/* A report about a report would never end. */
	ASSERT(r->env->sender.full.n > 0 && r->nrcpt > 0);
	b.utf8 = r->env->sender.utf8;
	for (i = 0; i < r->nrcpt; i++)
		b.utf8 = b.utf8 || r->rcpt[i].rcpt->addr.utf8;
	choose_boundary(&b);
	add_head(&b);
	if (r->plain) {
		add_plain(&b);
		*utf8_r = b.utf8;
		return buf_full(dst) ? -1 : 0;
	}
	add_type(&b);
	add_part(&b, text_type(&b), "Notification",
	    b.utf8 ? "8bit" : "7bit");
	add_human(&b);
	add_status(&b);
	if (!r->redacted)
		add_returned(&b);
	(void)buf_printf(dst, "\r\n--%s--\r\n", b.boundary);
	ASSERT(buf_len(dst) - b.start <= REPORT_MAX || buf_full(dst));
	if (buf_full(dst))
		return -1;
	*utf8_r = b.utf8;
	return 0;
}

static void
choose_boundary(struct build *b)
{
	const struct report *r = b->r;
	unsigned n = 0;

	do
		(void)snprintf(b->boundary, sizeof(b->boundary),
		    "=_postern_%" PRIu64 "_%" PRIx64 "_%u", r->mid,
		    (uint64_t)r->now, n++);
	while (memmem(r->content.p, r->content.n, b->boundary,
	    strlen(b->boundary)) != NULL);
}

static void
add_head(struct build *b)
{
	static const char *const subjects[] = {
		[REPORT_FAILED] = "Failure",
		[REPORT_DELAYED] = "Delay",
		[REPORT_SUCCESS] = "Success",
	};
	const struct report *r = b->r;
	char date[64];

	clock_rfc5322(date, sizeof(date), r->now);
	(void)buf_printf(b->dst,
	    "From: Mail Delivery System <%s>\r\n"
	    "To: <", r->postmaster);
	report_text(b->dst, r->to != NULL ? r->to->full :
	    r->env->sender.full, b->utf8, ADDR_PATH_MAX);
	(void)buf_printf(b->dst,
	    ">\r\n"
	    "Subject: Delivery Status Notification (%s)\r\n"
	    "Date: %s\r\n"
	    "Message-ID: <%" PRIu64 ".%" PRIx64 "@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n",
	    subjects[r->kind], date, r->mid, (uint64_t)r->now, r->hostname);
}

static void
add_type(struct build *b)
{
	(void)buf_printf(b->dst,
	    "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "\r\n"
	    "This is a MIME-encapsulated message.\r\n",
	    b->utf8 ? "global-" : "", b->boundary, b->utf8 ? "8bit" : "7bit");
}

static const char *
text_type(const struct build *b)
{
	return b->utf8 ? "text/plain; charset=utf-8" :
	    "text/plain; charset=us-ascii";
}

/* Lines of the header are cut where a line of mail ends. */
static void
add_plain(struct build *b)
{
	const struct report *r = b->r;
	struct str rest = r->content, line;
	size_t room;

	(void)buf_printf(b->dst, "Content-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n", text_type(b),
	    b->utf8 ? "8bit" : "7bit");
	add_human(b);
	if (r->redacted)
		return;
	(void)buf_add_c(b->dst, "\r\nThe header of the message:\r\n\r\n");
	room = (REPORT_MAX - (buf_len(b->dst) - b->start) - TAIL) / 2;
	rest = report_header(rest, r->bound < room ? r->bound : room);
	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		report_text(b->dst, line, b->utf8, LINE_MAX_PLAIN);
		(void)buf_add_c(b->dst, "\r\n");
	}
}

static void
add_part(struct build *b, const char *type, const char *description,
    const char *encoding)
{
	(void)buf_printf(b->dst,
	    "\r\n--%s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Description: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "\r\n",
	    b->boundary, type, description, encoding);
}

static void
add_human(struct build *b)
{
	static const char *const intro[] = {
		[REPORT_FAILED] =
		    "Your message could not be delivered to the recipients "
		    "below, and it will\r\nnot be tried again. What was said "
		    "about each follows its address; the\r\nmessage or its "
		    "header is attached.\r\n",
		[REPORT_DELAYED] =
		    "Your message has not been delivered yet to the recipients "
		    "below. It is\r\nstill being tried, so you need not send "
		    "it again.\r\n",
		[REPORT_SUCCESS] =
		    ("Your message was handed on for the recipients below, as "
		    "you asked to be\r\ntold.\r\n"),
	};
	static const char plain[] =
	    "Your message could not be delivered to the recipients below, and "
	    "it will\r\nnot be tried again. What was said about each follows "
	    "its address.\r\n";
	const struct report *r = b->r;
	size_t from = buf_len(b->dst);
	unsigned i;

	(void)buf_printf(b->dst, "This is the mail system at %s.\r\n\r\n%s",
	    r->hostname, (r->plain || r->redacted) &&
	    r->kind == REPORT_FAILED ? plain :
	    intro[r->kind]);
	for (i = 0; i < r->nrcpt; i++) {
		if (buf_len(b->dst) - from > HUMAN_MAX) {
			(void)buf_printf(b->dst, "\r\nand %u further "
			    "recipients.\r\n", r->nrcpt - i);
			break;
		}
		(void)buf_add_c(b->dst, "\r\n<");
		report_text(b->dst, r->rcpt[i].rcpt->addr.full, b->utf8,
		    ADDR_PATH_MAX);
		(void)buf_add_c(b->dst, ">:\r\n");
		report_folded(b->dst, "    ", r->rcpt[i].diagnostic, 512);
	}
}

static void
add_date(struct build *b, const char *field, msec wall)
{
	char date[64];

	clock_rfc5322(date, sizeof(date), wall);
	(void)buf_printf(b->dst, "%s: %s\r\n", field, date);
}

static void
add_status(struct build *b)
{
	const struct report *r = b->r;
	const struct envelope *env = r->env;
	size_t from = buf_len(b->dst);
	unsigned i;

	add_part(b, b->utf8 ? "message/global-delivery-status" :
	    "message/delivery-status", "Delivery report",
	    b->utf8 ? "8bit" : "7bit");
	(void)buf_printf(b->dst, "Reporting-MTA: dns; %s\r\n", r->hostname);
	if (env->envid.n > 0) {
		(void)buf_add_c(b->dst, "Original-Envelope-Id: ");
		report_text(b->dst, env->envid, false, 256);
		(void)buf_add_c(b->dst, "\r\n");
	}
	if (env->helo.n > 0) {
		(void)buf_add_c(b->dst, "Received-From-MTA: dns; ");
		report_text(b->dst, env->helo, b->utf8, ADDR_PATH_MAX);
		(void)buf_add_c(b->dst, "\r\n");
	}
	add_date(b, "Arrival-Date", env->queued);
	for (i = 0; i < r->nrcpt; i++) {
		if (buf_len(b->dst) - from > STATUS_MAX)
			break;
		add_rcpt_status(b, &r->rcpt[i]);
	}
}

static void
add_rcpt_status(struct build *b, const struct report_rcpt *rr)
{
	const struct rcpt *rcpt = rr->rcpt;
	struct buf line;

	(void)buf_add_c(b->dst, "\r\n");
	if (rcpt->orcpt.n > 0) {
		(void)buf_add_c(b->dst, "Original-Recipient: ");
		report_text(b->dst, rcpt->orcpt, b->utf8, 512);
		(void)buf_add_c(b->dst, "\r\n");
	}
	(void)buf_printf(b->dst, "Final-Recipient: %s; ",
	    rcpt->addr.utf8 ? "utf-8" : "rfc822");
	report_text(b->dst, rcpt->addr.full, b->utf8, ADDR_PATH_MAX);
	(void)buf_printf(b->dst, "\r\nAction: %s\r\nStatus: %s\r\n",
	    rr->action, rr->status);
	if (rr->remote_mta.n > 0) {
		(void)buf_add_c(b->dst, "Remote-MTA: dns; ");
		report_text(b->dst, rr->remote_mta, false, ADDR_PATH_MAX);
		(void)buf_add_c(b->dst, "\r\n");
	}
	if (rr->diagnostic.n > 0) {
		buf_init(&line, 2048);
		(void)buf_add_c(&line, "Diagnostic-Code: ");
		(void)buf_add_c(&line,
		    rr->diagnostic_smtp ? "smtp; " : "x-postern; ");
		(void)buf_add(&line, rr->diagnostic.p,
		    rr->diagnostic.n < 768 ? rr->diagnostic.n : 768);
		report_folded(b->dst, "", buf_str(&line), 1024);
		buf_fini(&line);
	}
	if (rr->last_attempt > 0)
		add_date(b, "Last-Attempt-Date", rr->last_attempt);
	if (b->r->kind == REPORT_DELAYED && rr->will_retry_until > 0)
		add_date(b, "Will-Retry-Until", rr->will_retry_until);
}

/* The whole message if it may be and fits, else its header. */
static void
add_returned(struct build *b)
{
	const struct report *r = b->r;
	size_t room = REPORT_MAX - (buf_len(b->dst) - b->start) - TAIL;
	struct str part = r->content, all = r->content;
	bool eightbit = !ascii_only(all);

	if (r->kind == REPORT_FAILED && r->content_whole &&
	    all.n < r->bound && all.n < room &&
	    (r->env->flags & ENV_RET_HDRS) == 0 && (b->utf8 || !eightbit) &&
	    report_lines_fit(all)) {
		add_part(b, b->utf8 ? "message/global" : "message/rfc822",
		    "Undelivered message", b->utf8 ? "8bit" : "7bit");
		(void)buf_add_str(b->dst, all);
		return;
	}
	part = report_header(all, r->bound < room ? r->bound : room);
	if (b->utf8 && utf8_valid(part) && report_lines_fit(part)) {
		add_part(b, "message/global-headers", "Message header",
		    "8bit");
		(void)buf_add_str(b->dst, part);
	} else if (ascii_only(part) && report_lines_fit(part)) {
		add_part(b, "text/rfc822-headers", "Message header", "7bit");
		(void)buf_add_str(b->dst, part);
	} else {
		add_part(b, "text/rfc822-headers", "Message header",
		    "quoted-printable");
		report_quoted_printable(b->dst, part, room);
	}
}

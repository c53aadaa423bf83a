/*
 * Records for sinks in another process: kept as JSON until somebody takes them.
 */
#include <string.h>

#include "admin/control.h"
#include "base/codec.h"
#include "daemon/logs_priv.h"

#define KEPT (256U << 10)
#define MESSAGE 48000 /* octets of records in one */
#define FIELDS 12

static struct {
	logs_send_fn *send; /* NULL: nothing is kept */
	void *arg;
	struct buf kept; /* JSON objects, each with an LF behind it */
} pass;

static bool	pass_emit(void *, const struct pst_log_record *);
static bool	pass_flush(void *);
static bool	pass_reopen(void *);
static void	add_field(struct buf *, const struct pst_field *);
static json_t *	message(size_t *);
static void	passed_one(const json_t *);
static unsigned	fields_of(const json_t *, struct pst_field *);

void
logs_pass_on(logs_send_fn *send, void *arg)
{
	if (send == NULL)
		logs_pass_end();
	else if (pass.send == NULL)
		buf_init(&pass.kept, KEPT);
	pass.send = send;
	pass.arg = arg;
}

void
logs_pass_end(void)
{
	if (pass.send != NULL)
		buf_fini(&pass.kept);
	pass.send = NULL;
}

bool
logs_pass_sink(struct log_sink *sink_r)
{
	if (pass.send == NULL)
		return false;
	*sink_r = (struct log_sink){ .fields = true, .emit = pass_emit,
		.flush = pass_flush, .reopen = pass_reopen };
	return true;
}

static bool
pass_emit(void *arg, const struct pst_log_record *r)
{
	size_t before = buf_len(&pass.kept);
	struct buf *b = &pass.kept;
	unsigned i;

	(void)arg;
	(void)buf_printf(b, "{\"level\":%d,\"wall\":%jd,", (int)r->level,
	    (intmax_t)r->wall);
	if (r->event != NULL)
		(void)buf_printf(b, "\"event\":\"%s\",", r->event);
	(void)buf_add_c(b, "\"text\":");
	(void)json_quote(b, str_n(r->text.p, r->text.n));
	(void)buf_add_c(b, ",\"fields\":[");
	for (i = 0; i < r->count && i < FIELDS; i++) {
		(void)buf_add_c(b, i > 0 ? "," : "");
		add_field(b, &r->field[i]);
	}
	if (buf_add_c(b, "]}\n") == 0 && !buf_full(b))
		return true;
	buf_truncate(b, before);
	b->full = false;
	return false;
}

static void
add_field(struct buf *b, const struct pst_field *f)
{
	(void)buf_printf(b, "[\"%s\",%d,%jd,", f->name, (int)f->type,
	    (intmax_t)f->number);
	(void)json_quote(b, str_n(f->text.p, f->text.n));
	(void)buf_add_char(b, ']');
}

static bool
pass_flush(void *arg)
{
	json_t *msg;
	size_t n;

	(void)arg;
	while (buf_len(&pass.kept) > 0) {
		msg = message(&n);
		if (msg != NULL && !pass.send(pass.arg, msg))
			return true;
		buf_consume(&pass.kept, n);
	}
	return true;
}

static bool
pass_reopen(void *arg)
{
	(void)arg;
	return true;
}

/* Of as many records as fit, *n octets of them. NULL: they are no good. */
static json_t *
message(size_t *n_r)
{
	struct str rest = buf_str(&pass.kept), line;
	json_t *v = json_array();

	*n_r = 0;
	while (str_split(&rest, '\n', &line)) {
		if (*n_r > 0 && *n_r + line.n > MESSAGE)
			break;
		*n_r += line.n + 1;
		if (line.n <= MESSAGE)
			(void)json_array_append_new(v, json_loadb(line.p,
			    line.n, JSON_ALLOW_NUL, NULL));
	}
	return json_pack("{s:s, s:o}", "type", "log", "records", v);
}

void
logs_passed(const json_t *msg)
{
	const json_t *v = json_object_get(msg, "records");
	size_t i;

	for (i = 0; i < json_array_size(v); i++)
		passed_one(json_array_get(v, i));
}

static struct pst_str
text_of(const json_t *j)
{
	const char *p = json_string_value(j);

	return (struct pst_str){ p != NULL ? p : "",
		p != NULL ? json_string_length(j) : 0 };
}

static void
passed_one(const json_t *j)
{
	struct pst_field field[FIELDS];
	struct pst_log_record r = { .size = sizeof(r) };

	r.level = (enum pst_log_level)control_number(j, "level",
	    PST_LOG_INFO);
	r.wall = control_number(j, "wall", 0);
	r.event = control_text(j, "event");
	r.text = text_of(json_object_get(j, "text"));
	r.count = fields_of(json_object_get(j, "fields"), field);
	r.field = field;
	if ((unsigned)r.level <= PST_LOG_TRACE)
		log_pass(&r);
}

static unsigned
fields_of(const json_t *v, struct pst_field *field)
{
	unsigned n = 0;
	const json_t *f;
	size_t i;

	for (i = 0; i < json_array_size(v) && n < FIELDS; i++) {
		f = json_array_get(v, i);
		if (!json_is_string(json_array_get(f, 0)))
			continue;
		field[n].name = json_string_value(json_array_get(f, 0));
		field[n].type = (enum pst_field_type)json_integer_value(
		    json_array_get(f, 1));
		field[n].number = json_integer_value(json_array_get(f, 2));
		field[n++].text = text_of(json_array_get(f, 3));
	}
	return n;
}

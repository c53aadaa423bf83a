/*
 * Log lines: whatever a stranger says becomes one printable line, and one JSON
 * object that says the same.
 */

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/codec.h"
#include "base/log_priv.h"
#include "../../plugins/log_json/jsonline.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(struct str s)
{
	uint32_t cp = 0;
	size_t n;

	for (; s.n > 0; s.p += n, s.n -= n) {
		n = utf8_char(s, &cp);
		ASSERT(n > 0 && cp >= 0x20 && (cp < 0x7f || cp >= 0xa0));
		ASSERT(cp != 0x2028 && cp != 0x2029 && cp != 0x202e);
	}
}

static json_t *
check_json(struct str s)
{
	json_t *root;

	check_text(s);
	root = json_loadb(s.p, s.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
	    NULL);
	ASSERT(root != NULL && json_is_object(root));
	return root;
}

static json_t *
json_of(const char *event, const struct pst_field *field, unsigned n)
{
	struct pst_log_record r = { .size = sizeof(r), .level = PST_LOG_INFO,
		.event = event, .count = n, .field = field };
	struct logkeep *k = logkeep_new();
	struct jsonline line = { .n = 0 };
	json_t *root;

	ASSERT(k != NULL && jsonline_add(&line, k, &r));
	ASSERT(k->n > 0 && k->p[k->at + k->n - 1] == '\n');
	root = check_json(str_n(k->p + k->at, k->n - 1));
	logkeep_end(k);
	return root;
}

static void
check_event(enum log_event ev, const struct log_arg *arg, const char *key,
    struct str in)
{
	struct pst_field field[LOG_ARGS];
	json_t *root, *value;
	struct buf b, room;
	unsigned n;

	buf_init(&b, LOG_LINE_MAX);
	buf_init(&room, LOG_LINE_MAX);
	log_line_text(&b, ev, arg);
	ASSERT(!buf_full(&b));
	check_text(buf_str(&b));
	n = log_line_fields(field, &room, ev, arg);
	ASSERT(n <= LOG_ARGS && !buf_full(&room));
	root = json_of(log_event_name(ev), field, n);
	value = json_object_get(root, key);
	if (json_is_string(value) && utf8_valid(in) && in.n <= 2000)
		ASSERT(str_eq(str_n(json_string_value(value),
		    json_string_length(value)), in));
	json_decref(root);
	buf_fini(&room);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_n((const char *)data, n);
	struct pst_field field[LOG_ARGS];
	struct log_arg arg[LOG_ARGS];
	struct buf b;

	memset(arg, 0, sizeof(arg));
	arg[0].u = arg[1].u = 7;
	arg[3].s = in;
	check_event(EV_MID_TO, arg, "to", in);
	memset(arg, 0, sizeof(arg));
	arg[1].s = in;
	check_event(EV_MID_SUBJECT, arg, "subject", in);
	check_event(EV_ICID_TLS_FAILED, arg, "why", in);
	memset(arg, 0, sizeof(arg));
	arg[3].s = arg[4].s = STR("5.0.0");
	arg[5].s = arg[6].s = in;
	check_event(EV_BOUNCED, arg, "code", in);
	buf_init(&b, LOG_LINE_MAX);
	log_free_text(&b, in);
	check_text(buf_str(&b));
	json_decref(json_of(NULL, field, log_free_fields(field, in)));
	buf_fini(&b);
	return 0;
}

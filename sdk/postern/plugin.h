/*
 * postern/plugin.h - the plugin interface of Postern, ABI 1.1 (C11).
 *
 * A plugin is a shared object with one exported symbol, made by PST_PLUGIN. It
 * links against nothing of Postern's: every service is reached through the
 * event that is handed to its functions. What it links besides (libcurl, libpq,
 * OpenSSL) is its own affair and meets nothing of ours.
 *
 *   Threads  Everything but the work function of pst_offload() runs on the
 *            worker's event loop; there are no locks. A function that blocks
 *            stops all mail of that worker: above 50 ms it is logged, after
 *            the watchdog's time the worker is replaced.
 *   Calls    A continuation never runs inside the call that asked for it.
 *   Memory   What the host gives lives as long as its scope (enum pst_scope)
 *            and is never freed by the plugin.
 *   Failure  A hook that errs, overruns its deadline or returns nonsense
 *            counts as PST_TEMPFAIL. Nothing a plugin does can lower the TLS
 *            that something else demands.
 *   TLS      No TLS library's type crosses this interface: certificates and
 *            keys travel as PEM.
 *
 * The smallest plugin, and how it is built, loaded and tested, is in
 * docs/plugin-guide.md; manual page postern-plugin(3).
 */
#ifndef POSTERN_PLUGIN_H
#define POSTERN_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A host serves a major number and the one before it; 1 is the first. A plugin
 * gets the table of services of its own major; the first four members of struct
 * pst_plugin are the same in all. The minor number grows when something is
 * appended; a plugin that uses what was appended defines PST_ABI_NEED before it
 * includes this, or asks pst_has().
 */
#define PST_ABI_MAJOR 1
#define PST_ABI_MINOR 1
#ifndef PST_ABI_NEED
#define PST_ABI_NEED 0 /* the oldest minor that will do */
#endif

#define PST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PST_EXPORT __attribute__((visibility("default")))

/* ---- Events ------------------------------------------------------------- */

enum pst_verdict {
	PST_CONTINUE = 0,   /* no opinion: ask the next plugin */
	PST_ACCEPT = 1,	    /* done here: later plugins are not asked */
	PST_REJECT = 2,	    /* for good: 5yz */
	PST_TEMPFAIL = 3,   /* for now: 4yz */
	PST_DISCARD = 4,    /* say 250 and drop: the recipient at "rcpt", else
			     * the message */
	PST_QUARANTINE = 5, /* keep and do not deliver; later plugins are still
			     * asked */
	PST_DISCONNECT = 6, /* 421 and close */
	PST_WAIT = 7	    /* a request of this event is outstanding */
};

_Static_assert(sizeof(enum pst_verdict) == 4, "build without -fshort-enums");

/* How long something lives. */
enum pst_scope {
	PST_EVENT = 0,	  /* until the last function of this event returned */
	PST_SESSION = 1,  /* the client's connection */
	PST_MESSAGE = 2,  /* from MAIL until it is queued or given up; at
			   * "deliver" and the reports: the event */
	PST_RCPT = 3,	  /* as PST_MESSAGE, but each recipient's own */
	PST_INSTANCE = 4  /* until the configuration changes; per worker */
};

enum pst_level {
	PST_DEBUG = 0,
	PST_INFO = 1,
	PST_NOTICE = 2,	  /* logged as Info */
	PST_WARNING = 3,
	PST_ERROR = 4	  /* logged as Critical */
};

enum pst_status {
	PST_OK = 0,
	PST_NOTFOUND = 1, /* the answer is "none": NXDOMAIN, no such key */
	PST_TEMPERR = 2,  /* SERVFAIL, refused connection, a lookup's failure */
	PST_TIMEOUT = 3,
	PST_FAILED = 4	  /* it could not even be asked: see error */
};

enum pst_edit {
	PST_HEADER_ADD = 0,    /* below all others */
	PST_HEADER_INSERT = 1, /* above all others, our Received excepted */
	PST_HEADER_SET = 2,    /* in place of the nth; added if there is none */
	PST_HEADER_DELETE = 3  /* the nth */
};

/* Bytes that are somebody else's; p[n] is always 0. */
struct pst_str {
	const char *p;
	size_t n;
};

struct pst_api;

/* Made by the host, valid until the last function of the event returned. */
struct pst_event {
	const struct pst_api *api;
	const char *on;	      /* which hook or operation: PST_ON_… */
	const void *conf;     /* this instance's options, as configured */
	void *arg;	      /* an operation's argument, or a task's */
	const char *instance; /* name of the instance */
};

/* What became of a request; valid during the continuation only. */
struct pst_result {
	uint32_t size;
	enum pst_status status;
	const char *error; /* NULL if PST_OK; else a line for the log */
	uint32_t code;	   /* HTTP status; ready events (enum pst_ready); what
			    * the work function returned */
	uint32_t ttl;	   /* seconds: DNS, lookups */
	bool secure;	   /* DNS: validated with DNSSEC */
	uint32_t count;
	const struct pst_str *item; /* records, values; HTTP: the body */
};

typedef enum pst_verdict pst_fn(struct pst_event *ev);
typedef enum pst_verdict pst_then(struct pst_event *ev,
    const struct pst_result *res);

enum pst_ready { PST_READ = 1, PST_WRITE = 2 };

/* A request to a web server; TLS as for https everywhere, name and chain are
 * verified against the system's roots or ca_file. No redirects are followed. */
struct pst_http {
	uint32_t size;	     /* sizeof(struct pst_http) */
	uint32_t timeout_ms; /* of everything; 0: 10 s */
	uint32_t max;	     /* octets of the answer's body; 0: 1 MB */
	const char *method;  /* NULL: GET, POST with a body */
	const char *url;     /* http://… or https://… */
	const char *content_type;
	const char *headers; /* "Name: value" lines, LF between them, or NULL */
	const char *ca_file; /* PEM, or NULL */
	struct pst_str body;
};

/* A short message from us to somebody: what a rule tells a sender. */
struct pst_notice {
	uint32_t size; /* sizeof(struct pst_notice) */
	const char *to;
	const char *subject;
	const char *text; /* lines, LF between them, UTF-8 */
};

enum pst_rcpt_flag { PST_RCPT_QUIET = 1 /* no reports about it: a Bcc */ };

/* ---- Services ----------------------------------------------------------- */

/*
 * Appended to, never changed. Use the macros below. The requests (timer to
 * park) return PST_WAIT, always: what goes wrong is told to the continuation.
 */
struct pst_api {
	uint32_t size, major, minor;
	const char *host; /* "Postern 1.4.2" */

	void (*log)(struct pst_event *, enum pst_level, const char *fmt, ...)
	    PST_PRINTF(3, 4);
	void (*count)(struct pst_event *, const char *metric, int64_t by);
	void (*gauge)(struct pst_event *, const char *metric, int64_t value);
	void (*alert)(struct pst_event *, enum pst_level, const char *key,
	    const char *fmt, ...) PST_PRINTF(4, 5);

	void *(*alloc)(struct pst_event *, enum pst_scope, size_t);
	void *(*data)(struct pst_event *, enum pst_scope, size_t);
	void (*defer)(struct pst_event *, enum pst_scope, void (*fn)(void *),
	    void *arg);

	const char *(*get)(struct pst_event *, const char *property);
	int (*set)(struct pst_event *, const char *property,
	    const char *value);
	enum pst_verdict (*reply)(struct pst_event *, enum pst_verdict,
	    int code, const char *enhanced, const char *fmt, ...)
	    PST_PRINTF(5, 6);

	const char *(*header)(struct pst_event *, const char *name,
	    unsigned nth);
	bool (*field)(struct pst_event *, unsigned i, struct pst_str *name,
	    struct pst_str *value);
	int (*edit)(struct pst_event *, enum pst_edit, const char *name,
	    unsigned nth, const char *value);
	bool (*body)(struct pst_event *, uint64_t *offset,
	    struct pst_str *chunk);
	int (*body_write)(struct pst_event *, const void *, size_t);
	enum pst_verdict (*each_rcpt)(struct pst_event *, pst_fn *);

	int64_t (*now)(struct pst_event *);
	uint32_t (*rate)(struct pst_event *, const char *key,
	    uint32_t window_ms, uint32_t by);
	int (*task)(struct pst_event *, pst_fn *, void *arg);

	enum pst_verdict (*timer)(struct pst_event *, uint32_t ms, pst_then *);
	enum pst_verdict (*watch)(struct pst_event *, int fd, int events,
	    uint32_t ms, pst_then *);
	enum pst_verdict (*offload)(struct pst_event *, int (*work)(void *),
	    void *arg, pst_then *);
	enum pst_verdict (*dns)(struct pst_event *, const char *name,
	    const char *type, pst_then *);
	enum pst_verdict (*lookup)(struct pst_event *, const char *table,
	    const char *key, pst_then *);
	enum pst_verdict (*http)(struct pst_event *, const struct pst_http *,
	    pst_then *);
	enum pst_verdict (*park)(struct pst_event *, uint32_t ms,
	    uint64_t *id, pst_then *);
	bool (*wake)(struct pst_event *, uint64_t id,
	    const struct pst_result *);

	/* ABI 1.1 */
	int (*rcpt)(struct pst_event *, int index);
	int (*rcpt_add)(struct pst_event *, const char *address, int flags);
	int (*rcpt_drop)(struct pst_event *);
	int (*notify)(struct pst_event *, const struct pst_notice *);
	void (*at)(struct pst_event *, const char *place);
	int (*mute)(struct pst_event *, const char *on);
};

/* Has the host that member (of ABI 1.x, x > PST_ABI_NEED)? */
#define pst_has(ev, member)                                                    \
	((ev)->api->size >= offsetof(struct pst_api, member) +                 \
		sizeof((ev)->api->member) && (ev)->api->member != NULL)

/*
 * Telling. log: a line of the log with plugin, ICID or MID in front. count
 * and gauge: metric postern_plugin_INSTANCE_NAME, summed over the workers; a
 * name is [a-z0-9_]{1,40}, an instance has 100 of them. alert: to the
 * administrator's alert sinks; the same key is gathered by them.
 */
#define pst_log(ev, level, ...) (ev)->api->log((ev), (level), __VA_ARGS__)
#define pst_count(ev, metric) (ev)->api->count((ev), (metric), 1)
#define pst_count_by(ev, metric, n) (ev)->api->count((ev), (metric), (n))
#define pst_gauge(ev, metric, n) (ev)->api->gauge((ev), (metric), (n))
#define pst_alert(ev, level, key, ...)                                         \
	(ev)->api->alert((ev), (level), (key), __VA_ARGS__)

/*
 * Memory, zeroed, aligned for anything; NULL: there is none, or the event has
 * no such scope (then answer PST_TEMPFAIL). data: the same block for this
 * instance and object every time. defer: fn(arg) when the scope ends, the
 * last one first; for what the plugin got elsewhere. An event's scope ends
 * before its recipient's, that before the message's, that before the session's
 * and the instance's last, so that fn may look into those.
 */
#define pst_alloc(ev, scope, n) (ev)->api->alloc((ev), (scope), (n))
#define pst_data(ev, scope, type)                                              \
	((type *)(ev)->api->data((ev), (scope), sizeof(type)))
#define pst_defer(ev, scope, fn, arg)                                          \
	(ev)->api->defer((ev), (scope), (fn), (arg))

/*
 * Facts by name, as in the log, in Lua and in postern-plugin(3): "client.ip",
 * "tls.cipher", "sender", "rcpt.domain", "mid". NULL: not set. The text is
 * valid as long as the event. "note.NAME" is anybody's, goes into the queue
 * with the message, can be set at each hook up to "branch" and read at all, a
 * delivery's and reports' too. What else can be set is told there; "rcpt.tls"
 * can only be raised. set returns 0, or -1 (unknown, not now, not a value) and
 * a line is logged.
 */
#define pst_get(ev, name) (ev)->api->get((ev), (name))
#define pst_set(ev, name, value) (ev)->api->set((ev), (name), (value))

/* A verdict with the words for the client: one line, cut at 512 octets, what
 * is not printable becomes "?". The code must be of the verdict's class, the
 * enhanced code (RFC 3463) of the code's; else the plugin is at fault and 451
 * 4.3.0 is said. Code 0: 550 5.7.0 or 451 4.3.0. */
#define pst_reject(ev, code, enh, ...)                                         \
	(ev)->api->reply((ev), PST_REJECT, (code), (enh), __VA_ARGS__)
#define pst_tempfail(ev, code, enh, ...)                                       \
	(ev)->api->reply((ev), PST_TEMPFAIL, (code), (enh), __VA_ARGS__)
#define pst_quarantine(ev, ...)                                                \
	(ev)->api->reply((ev), PST_QUARANTINE, 0, "", __VA_ARGS__)
#define pst_disconnect(ev, ...)                                                \
	(ev)->api->reply((ev), PST_DISCONNECT, 421, "4.7.0", __VA_ARGS__)

/*
 * The message, from "headers" on, as earlier plugins left it. header: value of
 * the nth (from 0) field of that name, unfolded; NULL: none. field: the i-th of
 * all, as it stands. edit: 0 or -1; at "headers" and "eom" it is the message's,
 * inside each_rcpt that recipient's, at "branch" the branch's: recipients that
 * get different bytes become branches. body: walks what stands behind the
 * header, from *offset, without a copy; false: the end. The chunk is valid
 * until the next call. body_write: the first call begins a new body; a NUL in
 * it is a fault.
 */
#define pst_header(ev, name) (ev)->api->header((ev), (name), 0)
#define pst_header_nth(ev, name, nth) (ev)->api->header((ev), (name), (nth))
#define pst_field(ev, i, name, value)                                          \
	(ev)->api->field((ev), (i), (name), (value))
#define pst_header_add(ev, name, v)                                            \
	(ev)->api->edit((ev), PST_HEADER_ADD, (name), 0, (v))
#define pst_header_insert(ev, name, v)                                         \
	(ev)->api->edit((ev), PST_HEADER_INSERT, (name), 0, (v))
#define pst_header_set(ev, name, v)                                            \
	(ev)->api->edit((ev), PST_HEADER_SET, (name), 0, (v))
#define pst_header_delete(ev, name, nth)                                       \
	(ev)->api->edit((ev), PST_HEADER_DELETE, (name), (nth), NULL)
#define pst_body(ev, offset, chunk) (ev)->api->body((ev), (offset), (chunk))
#define pst_body_write(ev, p, n) (ev)->api->body_write((ev), (p), (n))

/* fn for each recipient in turn, "rcpt.*" naming it; stops at the first that
 * does not say PST_CONTINUE and returns that. fn may not wait. */
#define pst_each_rcpt(ev, fn) (ev)->api->each_rcpt((ev), (fn))

/*
 * Recipients, at "headers" and "eom" (ABI 1.1). rcpt: "rcpt.*", set, edit and
 * data are that recipient's from now on, also behind a wait; -1: the message's
 * again; returns 0, or -1: there is none, or we are inside each_rcpt. rcpt_add:
 * one more, with what holds for all so far; its index, that of one who is there
 * already, or -1 (not an address, too many, not now). rcpt_drop: the one that
 * is selected gets nothing, and nobody is told but the log; without recipients
 * at the hook's end the message is discarded. Who is dropped keeps the number
 * and is counted by "message.rcpts", but cannot be selected. notify: queued
 * when the message is (not if it is refused or discarded), from the null
 * sender; 0 or -1: a report answers no report, whoever wrote to a list or by
 * machine gets no answer, and a message has at most 10.
 */
#define pst_rcpt(ev, i) (ev)->api->rcpt((ev), (i))
#define pst_rcpt_add(ev, address, flags)                                       \
	(ev)->api->rcpt_add((ev), (address), (flags))
#define pst_rcpt_drop(ev) (ev)->api->rcpt_drop((ev))
#define pst_notify(ev, notice) (ev)->api->notify((ev), (notice))

/* ABI 1.1. at: where in its own work the plugin is ("partner.lua:7"), at most
 * 63 octets, for the log of slow calls and who looks at a hang or crash; good
 * until the function returns. mute: in "start" only: this instance has nothing
 * to do at that hook and is not asked; 0, or -1: it has no such hook. */
#define pst_at(ev, place) (ev)->api->at((ev), (place))
#define pst_mute(ev, on) (ev)->api->mute((ev), (on))

/* Milliseconds since 1970, UTC. */
#define pst_now(ev) (ev)->api->now((ev))
/* Counts by events of key (the instance's own) in a window that begins with
 * the first of them, over all workers; returns the sum so far. */
#define pst_rate(ev, key, ms, by) (ev)->api->rate((ev), (key), (ms), (by))
/* An event of the instance's own, on its way until fn or a continuation says
 * other than PST_WAIT, or the instance stops: to listen, to poll. It has no
 * deadline; fn is called later, ev->arg is arg. Its PST_EVENT is all that time:
 * one that polls for ever keeps its own block. 0, or -1: too many (1,000). */
#define pst_task(ev, fn, arg) (ev)->api->task((ev), (fn), (arg))

/*
 * Requests: `return pst_dns(ev, name, "MX", got_mx);`. One event may have up
 * to 64 outstanding; the first verdict other than PST_WAIT ends the event and
 * cancels the rest. A continuation does not run any more when the client has
 * gone, the deadline passed or the worker stops; what was deferred does.
 *
 * watch: fd is ready (once), or PST_TIMEOUT after ms (0: never); it is closed
 * behind the watch only, by pst_defer() of the event. offload: work runs on
 * another thread and may touch nothing but its argument, which must live until
 * it returned: memory of the event and settings do, and clean-ups wait.
 * Work that has not begun when the event ends is left out. Two threads of a
 * worker work for an instance; what takes longer than its timeout is named in
 * the log and replaced, and while four do not come back the rest gets
 * PST_FAILED. dns: type A AAAA MX
 * TXT PTR TLSA CNAME; items as in a zone file ("10 mx.example.net"), but the
 * pieces of a TXT record are joined; for PTR an address will do as the name.
 * lookup: a table is an instance with lookup/1. park: wait for pst_wake() with
 * the id, or PST_TIMEOUT after ms (0: never).
 */
#define pst_timer(ev, ms, then) (ev)->api->timer((ev), (ms), (then))
#define pst_watch(ev, fd, events, ms, then)                                    \
	(ev)->api->watch((ev), (fd), (events), (ms), (then))
#define pst_offload(ev, work, arg, then)                                       \
	(ev)->api->offload((ev), (work), (arg), (then))
#define pst_dns(ev, name, type, then)                                          \
	(ev)->api->dns((ev), (name), (type), (then))
#define pst_lookup(ev, table, key, then)                                       \
	(ev)->api->lookup((ev), (table), (key), (then))
#define pst_http(ev, request, then) (ev)->api->http((ev), (request), (then))
#define pst_park(ev, ms, id, then) (ev)->api->park((ev), (ms), (id), (then))
/* From any event of this instance: continues the parked one with a copy of
 * *result (size set), NULL: PST_OK; false: it is gone. */
#define pst_wake(ev, id, result) (ev)->api->wake((ev), (id), (result))

/* ---- Hooks -------------------------------------------------------------- */

#define PST_ON_CONNECT "connect"
#define PST_ON_HELO "helo"
#define PST_ON_TLS "tls"	 /* after a handshake with the client */
#define PST_ON_MAIL "mail"
#define PST_ON_RCPT "rcpt"
#define PST_ON_DATA "data"
#define PST_ON_HEADERS "headers" /* the header is there, the body comes */
#define PST_ON_EOM "eom"	 /* everything is there */
#define PST_ON_BRANCH "branch"	 /* each branch, before it is queued */
#define PST_ON_DELIVER "deliver" /* before a message is sent; PST_TEMPFAIL puts
				  * it off, PST_REJECT gives it back */
/* The verdict of these is ignored; waiting is allowed. */
#define PST_ON_DISCONNECT "disconnect"
#define PST_ON_QUEUED "queued"
#define PST_ON_DELIVERED "delivered"
#define PST_ON_DEFERRED "deferred"
#define PST_ON_BOUNCED "bounced"
/* In each worker, once per configuration: other than PST_CONTINUE refuses it
 * and the old one stays. "stop" may not wait. */
#define PST_ON_START "start"
#define PST_ON_STOP "stop"

/* ---- Declaration -------------------------------------------------------- */

/*
 * A hook, or an operation of an interface ("lookup/1.get", postern/NAME.h).
 * before and after name plugins, blanks between them; the administrator's
 * order (plugin_order) wins over both.
 */
struct pst_hook {
	const char *on;
	pst_fn *fn;
	const char *before, *after;
};
#define PST_HOOK(name, f) { .on = (name), .fn = (f) }
#define PST_HOOK_AT(name, f, ...) { .on = (name), .fn = (f), __VA_ARGS__ }
#define PST_END { 0 }

enum pst_type {
	PST_T_STRING = 1, /* const char * */
	PST_T_BOOL = 2,	  /* bool */
	PST_T_INT = 3,	  /* int64_t */
	PST_T_DURATION = 4, /* int64_t, milliseconds; written "30s" */
	PST_T_SIZE = 5,	  /* int64_t, octets; written "10M" */
	PST_T_CHOICE = 6, /* const char *, a word of range */
	PST_T_PATH = 7,	  /* const char *, absolute; "file:/etc/x": read by the
			   * master with its rights, the path is of a copy */
	PST_T_SECRET = 8, /* const char *; written "file:PATH" (its first line)
			   * or "env:NAME"; never logged or shown */
	PST_T_LIST = 9	  /* const char *const *, NULL at the end */
};

struct pst_option {
	const char *name;
	enum pst_type type;
	uint32_t offset;   /* in the struct of conf_size octets */
	const char *dflt;  /* as it would be written, lists with blanks between;
			    * NULL: it must be given */
	const char *range; /* "1..65535" (as values are written), "a|b|c", or
			    * NULL */
	const char *help;  /* one line */
};
/* A field of another type than the option's does not compile. */
#define PST_OPT_(S, f, ctype, t, d, r, h)                                      \
	{ #f, _Generic(((S *)0)->f, ctype: t), (uint32_t)offsetof(S, f), d,    \
	  r, h }
#define PST_STRING(S, f, dflt, help)                                           \
	PST_OPT_(S, f, const char *, PST_T_STRING, dflt, NULL, help)
#define PST_CHOICE(S, f, dflt, choices, help)                                  \
	PST_OPT_(S, f, const char *, PST_T_CHOICE, dflt, choices, help)
#define PST_PATH(S, f, dflt, help)                                             \
	PST_OPT_(S, f, const char *, PST_T_PATH, dflt, NULL, help)
#define PST_SECRET(S, f, dflt, help)                                           \
	PST_OPT_(S, f, const char *, PST_T_SECRET, dflt, NULL, help)
#define PST_LIST(S, f, dflt, help)                                             \
	PST_OPT_(S, f, const char *const *, PST_T_LIST, dflt, NULL, help)
#define PST_BOOL(S, f, dflt, help)                                             \
	PST_OPT_(S, f, bool, PST_T_BOOL, dflt, NULL, help)
#define PST_INT(S, f, dflt, range, help)                                       \
	PST_OPT_(S, f, int64_t, PST_T_INT, dflt, range, help)
#define PST_DURATION(S, f, dflt, range, help)                                  \
	PST_OPT_(S, f, int64_t, PST_T_DURATION, dflt, range, help)
#define PST_SIZE(S, f, dflt, range, help)                                      \
	PST_OPT_(S, f, int64_t, PST_T_SIZE, dflt, range, help)

struct pst_plugin {
	uint32_t magic;
	uint16_t size, abi_major, abi_need, hook_size, option_size, reserved;
	const char *name; /* that of the file, without .so */
	const char *version, *summary, *license;
	const struct pst_hook *hooks;	  /* PST_END behind the last */
	const struct pst_option *options; /* so; NULL: it takes none */
	uint32_t conf_size;
	/* What no range can say: NULL, or what is wrong, in static memory. Run
	 * wherever the configuration is checked: it may touch nothing else. */
	const char *(*check)(const void *conf);
};
#define PST_MAGIC 0x50535431u /* "PST1" */
#define PST_PLUGIN(id, ...)                                                    \
	extern PST_EXPORT const struct pst_plugin                              \
	    id##_LTX_postern_plugin;                                           \
	PST_EXPORT const struct pst_plugin id##_LTX_postern_plugin = {         \
		.magic = PST_MAGIC, .size = sizeof(struct pst_plugin),         \
		.abi_major = PST_ABI_MAJOR, .abi_need = PST_ABI_NEED,          \
		.hook_size = sizeof(struct pst_hook),                          \
		.option_size = sizeof(struct pst_option), .name = #id,         \
		__VA_ARGS__ }

#endif

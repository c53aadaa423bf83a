/*
 * The configuration: one generation of what the boot file says.
 *
 * The boot file is Lua in a bare sandbox (no io, os, require or load; bounded
 * instructions and memory). Each setting is a line of tbl/params.h, from
 * which the structs here are made; unknown ones are refused with file, line
 * and the nearest name. A generation is reference counted: whoever works
 * under it (a session, the relay) keeps it alive, and it never changes.
 *
 * Files that settings name are read through struct conf_reader, so that a
 * worker without the right to open them gets what the master read.
 */
#ifndef POLICY_CONF_H
#define POLICY_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/coll.h"
#include "base/err.h"
#include "base/pool.h"
#include "net/sock.h"
#include "policy/sgpat.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "smtp/smtpd.h"
#include "tls/certmap.h"

#define CONF_MAX (1024 * 1024)	/* octets of a boot file or of one it names */
#define CONF_FILE_MAX (16 * 1024 * 1024) /* of a list of roots or CRLs */
#define CONF_MAX_LIST 10000	/* elements of a list */
#define CONF_MAX_BLOCKS 50000	/* of a file */

struct conf_nets {
	const struct sock_net *v;
	const char *const *text;
	unsigned n;
};

struct conf_addrs {
	const struct sock_addr *v; /* "*:25" became two */
	unsigned n;
};

/* What each TYPE of tbl/params.h is in C. */
#define CONF_C_STRING const char *
#define CONF_C_PATH const char *	     /* absolute, or "" */
#define CONF_C_BOOL bool
#define CONF_C_INT unsigned
#define CONF_C_SIZE uint64_t
#define CONF_C_DURATION msec
#define CONF_C_CHOICE int		     /* place in the range, -1: none */
#define CONF_C_STRINGS const char *const * /* NULL at the end */
#define CONF_C_PATHS const char *const *   /* absolute, so */
#define CONF_C_NETS struct conf_nets
#define CONF_C_ADDRS struct conf_addrs
#define CONF_C_WANT const struct tlswant *   /* NULL: not given */
#define CONF_FIELD(name, type, def, range, help) CONF_C_##type name;

struct conf_top {
#define PARAM_TOP CONF_FIELD
#include "tbl/params.h"
};

struct conf_log {
#define PARAM_LOG CONF_FIELD
#include "tbl/params.h"
};

struct conf_limits {
#define PARAM_LIMITS CONF_FIELD
#include "tbl/params.h"
};

struct conf_dns {
#define PARAM_DNS CONF_FIELD
#include "tbl/params.h"
};

struct conf_relay {
#define PARAM_RELAY CONF_FIELD
#include "tbl/params.h"
};

struct conf_delivery {
#define PARAM_DELIVERY CONF_FIELD
#include "tbl/params.h"
};

struct conf_queue {
#define PARAM_QUEUE CONF_FIELD
#include "tbl/params.h"
};

struct conf_alerts {
#define PARAM_ALERTS CONF_FIELD
#include "tbl/params.h"
};

struct conf_alert_recipient {
	const char *name; /* the address */
#define PARAM_ALERT_RECIPIENT CONF_FIELD
#include "tbl/params.h"
};

struct conf_tls {
#define PARAM_TLS CONF_FIELD
#include "tbl/params.h"
};

struct conf_policy {
#define PARAM_POLICY CONF_FIELD
#include "tbl/params.h"
};

struct conf_destination {
	const char *name;
	int line;
	const char *place; /* of its tls: "FILE:LINE", or the store's object */
#define PARAM_DESTINATION CONF_FIELD
#include "tbl/params.h"
};

struct conf_route {
	const char *name;
	int line;
	const char *place; /* as that of a destination */
#define PARAM_ROUTE CONF_FIELD
#include "tbl/params.h"
};

struct conf_profile {
	const char *name;
#define PARAM_PROFILE CONF_FIELD
#include "tbl/params.h"
};

struct conf_group {
	const char *name;
	int line;
#define PARAM_GROUP CONF_FIELD
#include "tbl/params.h"
	const struct conf_item *items;
	struct sgpat *pattern;
	unsigned npattern;
	unsigned flow; /* place of its policy */
};

enum conf_behavior {
	CONF_ACCEPT,
	CONF_RELAY,
	CONF_REJECT,
	CONF_TCPREFUSE,
	CONF_CONTINUE
};
enum conf_auth { CONF_AUTH_OFF, CONF_AUTH_PREFERRED, CONF_AUTH_REQUIRED };

/* A mail flow policy; what its block does not set is the listener's. */
struct conf_policy_flow {
	const char *name;
	int line;
#define PARAM_FLOW CONF_FIELD
#include "tbl/params.h"
	struct conf_limits limits; /* to find mistakes */
	const struct conf_item *items;
};

/* It at a listener, ready to be used; or what a listener has itself. */
struct conf_flow {
	const struct conf_policy_flow *policy; /* NULL: the listener's own */
	const char *const *tls_senders;
	struct conf_limits limits;
	struct smtpd_conf smtpd;
};

/* An entry of the recipient access table. */
struct conf_access {
	const char *name; /* as conf_name_fold() has it */
	int line;
#define PARAM_RAT CONF_FIELD
#include "tbl/params.h"
	const struct conf_item *items;
	struct hash_node node;
};
#define CONF_RAT_ALL "ALL"

/* One of the exceptions of senders. */
struct conf_exception {
	const char *name; /* as conf_name_fold() has it */
	int line;
#define PARAM_EXCEPTION CONF_FIELD
#include "tbl/params.h"
	struct hash_node node;
};

enum conf_lookup { CONF_LOOKUP_STRICT, CONF_LOOKUP_IGNORE };
enum conf_reverse { CONF_REVERSE_OFF, CONF_REVERSE_PUBLIC, CONF_REVERSE_ALL };

struct conf_listener {
	const char *name;
#define PARAM_LISTENER CONF_FIELD
#include "tbl/params.h"
	struct conf_limits limits; /* the general ones and its own */
	struct conf_flow *flow;	   /* [0] is its own, then by conf.flow */
	unsigned nflow;
	const struct conf_group **group; /* in order */
	unsigned ngroup;
};

/* A user of relay.users. */
struct conf_user {
	const char *name, *hash;
};

/* A value of a plugin block, as it was written. */
enum conf_raw_type { RAW_BOOL, RAW_INT, RAW_STRING, RAW_LIST };

struct conf_raw {
	enum conf_raw_type type;
	bool b;
	int64_t i;
	struct str s;
	struct conf_raw **v;
	unsigned n;
};

struct conf_item {
	const char *key;
	const struct conf_raw *value;
	int line;
	bool over; /* the store's */
	struct conf_item *next;
};

/* on_crash, as tbl/params.h has it */
enum conf_crash { CONF_CRASH_TEMPFAIL, CONF_CRASH_DISABLE, CONF_CRASH_STOP };

/*
 * plugin "name" { } or plugin "name" "instance" { }: an instance. What it may
 * have in it is known to the plugin (host/options); here are the settings that
 * all take. Blocks that stand for plugins (log { } for log_mail and its like)
 * are here too, in front, with `by` naming the block.
 */
#define CONF_ALERTS "alerts"	    /* that of alert_recipient { } */
#define CONF_SHADOW "policy.shadow" /* the instance of policy { shadow = } */

struct conf_plugin {
	const char *plugin, *name;
	const char *by;		/* NULL: a plugin block */
	int line;
	bool looks_on;		/* what it says at hooks does not count */
#define PARAM_PLUGIN CONF_FIELD
#include "tbl/params.h"
	struct conf_item *items;
};

/* plugin_order { }: by hook. */
struct conf_order {
#define PARAM_ORDER CONF_FIELD
#include "tbl/params.h"
};

struct host_gen;

struct conf {
	unsigned magic;
	unsigned refs;
	bool alone;		/* of a policy or a script by itself: nobody
				 * knows what the boot file would have; set by
				 * who made it */
	uint64_t generation;	/* 1, 2, …: set by who switches to it */
	struct pool *pool;
	const char *file, *dir;	/* what relative paths are relative to */
	uint64_t revision;	/* of the configuration store; 0: none */
	const char *usual;	/* place of delivery { tls = }; file: unset */
	const struct conf_script *script; /* where each setting was made */
	struct conf_top top;
	struct conf_log log;
	struct conf_limits limits;
	struct conf_dns dns;
	struct conf_relay relay;
	struct conf_delivery delivery;
	struct conf_queue queue;
	struct conf_alerts alerts;
	struct conf_alert_recipient *alert_recipient;
	unsigned nalert_recipient;
	struct conf_listener *listener;
	unsigned nlistener;
	struct conf_group *group;
	unsigned ngroup;
	struct conf_policy_flow *flow;
	unsigned nflow;
	struct conf_access *access;
	unsigned naccess;
	struct hash access_by_name;
	struct conf_exception *exception;
	unsigned nexception;
	struct hash exception_by_name;
	const char **zone; /* DNS lists of the groups */
	unsigned nzone;
	struct conf_tls tls;
	struct conf_policy policy;
	struct conf_destination *destination;
	unsigned ndestination;
	struct conf_route *route;
	unsigned nroute;
	struct conf_profile *profile;
	unsigned nprofile;
	/* made of the above for the layers that use it */
	const struct queue_profile *queue_profile; /* nprofile of them */
	struct relay_conf relay_conf;
	struct conf_user *user;
	unsigned nuser;
	struct conf_plugin *plugin;
	unsigned nplugin;
	struct conf_order order;
	/* The instances of the plugin blocks (host/host.h) once they are
	 * loaded; they live as long as the generation. */
	struct host_gen *plugins;
	void (*plugins_drop)(struct host_gen **gp);
};

/* How a file that a setting names is read, or handed to a library. */
struct conf_reader {
	int (*read)(void *arg, const char *path, struct buf *dst,
	    struct err *why);
	/* A path the library can open; it may be another. */
	const char *(*path)(void *arg, struct pool *pool, const char *path);
	bool (*has)(void *arg, const char *path);
	void *arg;
};

/* Words of alert_recipient { classes = }, NULL behind them. */
extern const char *const conf_alert_classes[], *const conf_alert_severities[];
/* An address that an alert can be sent to, or from. */
bool conf_alert_address(struct pool *pool, const char *text);

/* The files as they are; or as if each were empty. */
extern const struct conf_reader conf_reader_plain, conf_reader_none;

/*
 * What the configuration store (store/revs.h) has: blocks that are set over
 * those of the boot file, setting by setting. Only kinds that may be in a
 * store (policy/conf_object.h).
 */
struct conf_over {
	struct str text;
	const char *name; /* "revision 12", or a file, in errors; or NULL */
	bool lines;	  /* errors tell lines of it, else objects; it may be
			   * of a saved configuration, with certificates */
	/* Where an object, or (key NULL: all of it) its setting, comes from,
	 * if not from the text; NULL: it does not know. May be NULL itself. */
	const char *(*place)(void *arg, struct pool *pool, const char *kind,
	    const char *name, const char *key);
	void *arg;
	uint64_t revision;
	const char *shadow; /* policy { shadow = }, whatever boot file and
			     * store say; NULL: as they do */
	const char *policy; /* so, policy { file = } */
};

/* "FILE:LINE: …" in why. The generation has one reference. With what the
 * store has in force; _draft: and with what is not committed, too; _boot: of
 * the boot file alone; _policy: as if that file were its policy. */
int conf_load(struct conf **conf_r, const char *file,
    const struct conf_reader *reader, struct err *why);
int conf_load_draft(struct conf **conf_r, const char *file,
    const struct conf_reader *reader, struct err *why);
int conf_load_policy(struct conf **conf_r, const char *file,
    const char *policy, const struct conf_reader *reader, struct err *why);
int conf_load_boot(struct conf **conf_r, const char *file,
    const struct conf_reader *reader, struct err *why);
int conf_parse(struct conf **conf_r, const char *file, struct str text,
    const struct conf_reader *reader, struct err *why);
/* The top level and log of the boot file alone, nothing else of which is looked
 * at: it may refer to what only the store has. */
int conf_load_top(struct conf **conf_r, const char *file, struct err *why);
int conf_parse_top(struct conf **conf_r, const char *file, struct str text,
    struct err *why);
/* over NULL: nothing. */
int conf_parse_over(struct conf **conf_r, const char *file, struct str text,
    const struct conf_over *over, const struct conf_reader *reader,
    struct err *why);
/* Where the store is, by the boot file's text: the pool's. */
int conf_over_path(struct pool *pool, const char *file, struct str text,
    const char **path_r, struct err *why);
/* What it has in force, or as a proposal (revs_propose(); token NULL: none).
 * Revision 0 and no text: there is no store. Strings are the pool's. */
int conf_over_read(struct conf_over *over_r, struct pool *pool,
    const char *path, uint64_t proposal, const char *token,
    struct err *why);
/* So, with what is not committed. */
int conf_over_draft(struct conf_over *over_r, struct pool *pool,
    const char *path, struct err *why);
/*
 * Which certificate serves what, by boot file, store and what plugins have
 * (list, daemon/lister). For who may read them: master, reload, `postern
 * check`. map->pool is given. Whether the files are any good is not looked at.
 */
struct certlist;
int conf_certs(const struct conf *conf, const struct certlist *list,
    struct certmap *map, struct err *why);

/* A file that is unusable: a certificate of a use, or roots or CRLs (use
 * NULL). Returns 0 to go on without it. */
typedef int conf_broken_fn(void *arg, const char *use, const char *file,
    struct err *why);

struct conf_tls_env {
	const struct conf_reader *reader;
	const struct certmap *map;
	const struct tls_keyops *ops; /* NULL: key files are read */
	struct tlscache *sessions;    /* of delivery; NULL: its own */
	void *ops_arg;
	conf_broken_fn *broken; /* NULL: an error */
	void *arg;
};

/* Makes contexts, identities and trust; before the first use in a worker. A
 * listener without a usable certificate has no context. */
int conf_tls(struct conf *conf, const struct conf_tls_env *env,
    struct err *why);
/* conf_certs() and conf_tls() with the files and keys themselves, to find
 * mistakes. */
int conf_tls_try(struct conf *conf, const struct certlist *list,
    conf_broken_fn *broken, void *arg, struct err *why);
/* Reads the cipher and group lists once more, as conf_parse() does, and tells
 * of the words in them that the library does not know. */
typedef void conf_note_fn(void *arg, const char *note);
int conf_tls_words(const struct conf *conf, conf_note_fn *fn, void *arg,
    struct err *why);
bool conf_listener_wants_tls(const struct conf_listener *l);
/* The bundle of roots that is trusted where the file names none. */
const char *conf_default_ca(void);
/* Is there a listener that may need the store's default certificates? */
bool conf_wants_default(const struct conf *conf);
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf **confp);

/* Each file that a setting names and a worker may not be able to open, but for
 * certificates and keys; and those of them that are roots or CRLs. */
typedef int conf_file_fn(void *arg, const char *path, struct err *why);
int conf_files(const struct conf *conf, conf_file_fn *fn, void *arg,
    struct err *why);
int conf_tls_files(const struct conf *conf, conf_file_fn *fn, void *arg,
    struct err *why);
/* Those of plugin blocks, as far as there are such ("file:"). */
int conf_plugin_files(const struct conf *conf, conf_file_fn *fn, void *arg,
    struct err *why);

/* "file:PATH" of a plugin's setting: the absolute path; NULL: it is none. */
const char *conf_file_ref(const struct conf *conf, struct pool *pool,
    struct str value);

/* All settings as they are in force, in the form of a boot file. */
void conf_dump(const struct conf *conf, struct buf *dst);
/* The settings, their types, defaults and meanings, for a person. */
void conf_help(struct buf *dst);
void conf_help_json(struct buf *dst);

/* Is mail to rcpt taken at a listener (NULL: at one without entries of its
 * own), from a client that may (relay) send to anywhere, or may not? -1: why is
 * what it is told. */
int conf_takes(const struct conf *conf, const char *listener, bool relay,
    const struct addr *rcpt, struct err *why);
/* So, and by which entry of either list; "": by none. */
int conf_takes_by(const struct conf *conf, const char *listener, bool relay,
    const struct addr *rcpt, const char **by_r, struct err *why);
/* The nearest exception for a sender; NULL: there is none. */
const struct conf_exception *conf_exception(const struct conf *conf,
    const struct addr *sender);
/* What both allow to a client of that listener; a may be the result of such a
 * question. It lives as long as pool and conf. */
const struct conf_flow *conf_flow_both(struct pool *pool,
    const struct conf *conf, const struct conf_listener *l,
    const struct conf_flow *a, const struct conf_flow *b);
bool conf_nets_has(const struct conf_nets *nets, const struct sock_addr *a);

#endif

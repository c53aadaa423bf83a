/*
 * The log's sinks: instances of plugins with log_sink/1.
 *
 * Those that are part of the program (log_mail, log_json, log_syslog) have a
 * host of their own, in each process that logs: it is there before, and when,
 * there is nothing else. Those that are loaded from files are of the
 * configuration's generation, in workers; they get the master's lines as
 * messages (logs_pass_on(), logs_passed()), by way of one worker. With none of
 * the former, the log goes to standard error; so does what is logged while one
 * of them cannot be written, of which it raises an alert.
 */
#ifndef DAEMON_LOGS_H
#define DAEMON_LOGS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "host/host.h"
#include "policy/conf.h"

/*
 * Opens the log, or opens it anew, under conf. -1: a plugin's options are
 * wrong, nothing has changed. What the former sinks keep is written first.
 */
int logs_open(const struct conf *conf, const struct conf_reader *reader,
    bool sync, struct err *why);
void logs_close(void);
/* In a child, before it opens the log: what it inherited writes nothing. */
void logs_forked(void);

/* Can the sinks of g write where they are to? -1: why tells which cannot. */
int logs_try(const struct host_gen *g, struct err *why);
/* An alert that a sink in each process has raised, for alertpost_add(), or
 * NULL. To be asked for now and then, while no line is logged. */
json_t *logs_alert(void);

/* The other sinks are those of g; NULL: none. Returns whether there are any. */
bool logs_plugins(struct host_gen *g);

/* Is it a plugin that makes sinks in each process? */
bool logs_builtin(const char *plugin);
/* Might conf have other sinks? */
bool logs_others(const struct conf *conf);
/* Each file that a sink of conf writes, as far as it is made for it. */
typedef void logs_file_fn(void *arg, const char *path, unsigned mode);
void logs_files(const struct conf *conf, logs_file_fn *fn, void *arg);

/*
 * A process without those sinks keeps what it logs for them, and hands it to
 * send(), a message at a time, whenever the log is flushed; while that says no,
 * at most 256 KB. Set before logs_open(); NULL: there are no such sinks.
 */
typedef bool logs_send_fn(void *arg, json_t *msg); /* steals msg */
void logs_pass_on(logs_send_fn *send, void *arg);
/* Such a message arrived. */
void logs_passed(const json_t *msg);

#endif

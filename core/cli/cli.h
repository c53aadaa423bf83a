/*
 * The subcommands of `postern`. Each gets its part of the command line and
 * returns the exit status.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum cli_exit { CLI_OK, CLI_FAILED, CLI_USAGE };

int cli_alertconfig(int argc, char **argv);
int cli_bounceconfig(int argc, char **argv);
int cli_certconfig(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_clear(int argc, char **argv);
int cli_commit(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_destconfig(int argc, char **argv);
int cli_displayalerts(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_headers(int argc, char **argv);
int cli_plugin(int argc, char **argv);
int cli_listenerconfig(int argc, char **argv);
int cli_policy(int argc, char **argv);
int cli_profile(int argc, char **argv);
int cli_queue(int argc, char **argv);
int cli_log(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_sink(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_tls_test(int argc, char **argv);
int cli_tlsverify(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_version(int argc, char **argv);

/* All that `postern check` looks at: certificates, plugins, too. *c_r is set
 * as soon as it is there. */
struct conf;
struct epoch;
struct err;
int cli_check_epoch(struct epoch *e, struct conf **c_r, struct err *why);

/* Makes the plugins known that are part of the program. */
void cli_builtin(void);

#define CLI_CONF POSTERN_CONFDIR "/postern.lua"

/* "postern: …" on standard error; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

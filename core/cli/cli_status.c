/*
 * `postern status`: what master and workers say of themselves.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "cli/ask.h"
#include "cli/cli.h"

struct answer {
	json_t *master;
	json_t *processes; /* as the master sees the workers */
	json_t *workers;   /* as they see themselves */
};

static int	usage(FILE *, int);
static int	status(const char *, int);
static void	on_master(void *, const char *, const json_t *, int);
static void	on_worker(void *, const char *, const json_t *, int);
static void	show(const struct answer *);
static void	show_tls(const json_t *);
static void	show_plugins(const json_t *);
static void	show_worker(const json_t *);
static void	show_keeper(const json_t *);
static void	show_certificate(const json_t *);
static json_int_t number(const json_t *, const char *);
static json_int_t in(const json_t *, const char *, const char *);
static json_int_t sum(const json_t *, const char *, const char *);
static const char *duration(char *, size_t, json_int_t);

int
cli_status(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = CLI_CONF;
	int c, json = 0;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		if (c == 'c')
			file = optarg;
		else
			json = 1;
	}
	if (optind < argc)
		return usage(stderr, CLI_USAGE);
	return status(file, json);
}

static int
usage(FILE *to, int r)
{
	(void)fputs("usage: postern status [--json] [-c FILE]\n"
	    "Shows the workers, their connections, the queue, and the "
	    "certificates in use.\n", to);
	return r;
}

static int
status(const char *file, int json)
{
	struct answer a = { NULL, json_array(), json_array() };
	struct err why = ERR_INIT;
	char *run = NULL;
	int r = CLI_OK;

	if (ask_run_dir(file, &run, &why) != 0 ||
	    ask(run, ASK_MASTER, json_pack("{s:s}", "verb", "status"),
		on_master, &a, &why) != 0 ||
	    ask(run, ASK_WORKERS, json_pack("{s:s}", "verb", "status"),
		on_worker, &a, &why) != 0) {
		r = cli_fail("%s", why.text);
	} else if (json != 0) {
		(void)json_object_set(a.master, "processes", a.processes);
		(void)json_object_set(a.master, "workers", a.workers);
		(void)json_dumpf(a.master, stdout, JSON_COMPACT);
		(void)printf("\n");
	} else {
		show(&a);
	}
	json_decref(a.master);
	json_decref(a.processes);
	json_decref(a.workers);
	mem_free(run);
	return r;
}

static void
on_master(void *arg, const char *from, const json_t *line, int last)
{
	struct answer *a = arg;

	(void)from;
	if (last != 0) {
		json_decref(a->master);
		a->master = json_copy((json_t *)(uintptr_t)line);
		(void)json_object_del(a->master, "done");
	} else {
		(void)json_array_append_new(a->processes,
		    json_copy((json_t *)(uintptr_t)line));
	}
}

static void
on_worker(void *arg, const char *from, const json_t *line, int last)
{
	struct answer *a = arg;

	(void)from;
	if (last == 0)
		(void)json_array_append_new(a->workers,
		    json_copy((json_t *)(uintptr_t)line));
}

static void
show(const struct answer *a)
{
	char up[32], oldest[32];
	json_int_t age = 0;
	const json_t *w;
	size_t i;

	json_array_foreach(a->workers, i, w) {
		if (in(w, "queue", "oldest_ms") > age)
			age = in(w, "queue", "oldest_ms");
	}
	(void)printf("postern %s on %s, up %s, process %lld, configuration "
	    "%lld of %s%s\n",
	    json_string_value(json_object_get(a->master, "version")),
	    json_string_value(json_object_get(a->master, "hostname")),
	    duration(up, sizeof(up), json_integer_value(json_object_get(
	    a->master, "uptime_ms"))),
	    json_integer_value(json_object_get(a->master, "pid")),
	    json_integer_value(json_object_get(a->master, "generation")),
	    json_string_value(json_object_get(a->master, "file")),
	    json_is_true(json_object_get(a->master, "stopping")) ?
		", stopping" : "");
	if (number(a->master, "revision") > 0)
		(void)printf("config revision %lld of the configuration "
		    "store\n",
		    (long long)number(a->master, "revision"));
	(void)printf("in     %lld connections, %lld messages accepted since "
	    "the start\n", sum(a->workers, "in", "connections"),
	    sum(a->workers, "in", "messages"));
	(void)printf("queue  %lld messages, %lld due, %lld active, %lld held, "
	    "oldest %s\n", sum(a->workers, "queue", "messages"),
	    sum(a->workers, "queue", "due"),
	    sum(a->workers, "queue", "active"),
	    sum(a->workers, "queue", "held"),
	    duration(oldest, sizeof(oldest), age));
	(void)printf("out    %lld connections, %lld idle, %lld next hops, "
	    "%lld down\n", sum(a->workers, "out", "connections"),
	    sum(a->workers, "out", "idle"), sum(a->workers, "out", "hops"),
	    sum(a->workers, "out", "hops_down"));
	show_tls(a->master);
	if (number(a->master, "episodes") > 0)
		(void)printf("alerts %lld episodes of required TLS are open: "
		    "postern displayalerts --open\n",
		    (long long)number(a->master, "episodes"));
	show_plugins(a->master);
	json_array_foreach(a->workers, i, w)
		show_worker(w);
	show_keeper(json_object_get(a->master, "keeper"));
	json_array_foreach(json_object_get(a->master, "certificates"), i, w)
		show_certificate(w);
}

static void
show_keeper(const json_t *k)
{
	if (!json_is_object(k))
		return;
	(void)printf("keeper    process %lld, %lld keys, %lld restarts\n",
	    json_integer_value(json_object_get(k, "pid")),
	    json_integer_value(json_object_get(k, "keys")),
	    json_integer_value(json_object_get(k, "restarts")));
}

static void
show_certificate(const json_t *c)
{
	json_int_t days = json_integer_value(json_object_get(c, "days"));

	(void)printf("certificate \"%s\" of %s, %s %.10s (%lld days)%s\n",
	    json_string_value(json_object_get(c, "name")),
	    json_string_value(json_object_get(c, "use")),
	    days < 0 ? "EXPIRED" : "until",
	    json_string_value(json_object_get(c, "expires")), days,
	    json_is_true(json_object_get(c, "demonstration")) ?
		", for demonstration only" : "");
}

/* What encryption costs, and what it did not reach. */
static void
show_tls(const json_t *master)
{
	const char *head = "tls_out_failed_";
	const json_t *m = json_object_get(master, "metrics"), *n;
	const char *name;

	(void)printf("tls    in %lld handshakes (%lld resumed), %lld failed; "
	    "out %lld (%lld resumed, %lld verified), %lld failed; "
	    "%lld deliveries encrypted, %lld in clear\n",
	    number(m, "tls_in_total"), number(m, "tls_in_resumed_total"),
	    number(m, "tls_in_failed_total"), number(m, "tls_out_total"),
	    number(m, "tls_out_resumed_total"),
	    number(m, "tls_out_verified_total"),
	    number(m, "tls_out_failed_total"),
	    number(m, "messages_delivered_tls_total"),
	    number(m, "messages_delivered_clear_total"));
	json_object_foreach((json_t *)(uintptr_t)m, name, n) {
		if (strncmp(name, head, strlen(head)) == 0 &&
		    strcmp(name, "tls_out_failed_total") != 0)
			(void)printf("       %s %lld\n", name,
			    json_integer_value(n));
	}
}

/* What plugins count; of a histogram, how often. */
static void
show_plugins(const json_t *master)
{
	const json_t *m = json_object_get(master, "metrics"), *n;
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(master, "plugins"), i, n) {
		(void)printf("       plugin %s brought %lld workers down%s\n",
		    json_string_value(json_object_get(n, "instance")),
		    json_integer_value(json_object_get(n, "crashes")),
		    json_is_true(json_object_get(n, "tripped")) ?
			" and is out of service" : "");
	}
	json_object_foreach((json_t *)(uintptr_t)m, name, n) {
		if (strncmp(name, "plugin_", 7) == 0)
			(void)printf("       %s %lld\n", name,
			    json_integer_value(n));
	}
}

static json_int_t
number(const json_t *metrics, const char *name)
{
	return json_integer_value(json_object_get(metrics, name));
}

static void
show_worker(const json_t *w)
{
	char up[32];

	(void)printf("worker %-2lld process %lld, up %s, in %lld, queue %lld, "
	    "out %lld, %lld commits%s%s\n",
	    json_integer_value(json_object_get(w, "worker")),
	    json_integer_value(json_object_get(w, "pid")),
	    duration(up, sizeof(up),
		json_integer_value(json_object_get(w, "uptime_ms"))),
	    in(w, "in", "connections"), in(w, "queue", "messages"),
	    in(w, "out", "connections"), in(w, "store", "commits"),
	    json_is_true(json_object_get(json_object_get(w, "store"),
		"degraded")) ? ", its store cannot be written" : "",
	    json_is_true(json_object_get(w, "recovering")) ?
		", reading the queue" : "");
}

static json_int_t
in(const json_t *w, const char *part, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(w, part),
	    name));
}

static json_int_t
sum(const json_t *workers, const char *part, const char *name)
{
	json_int_t n = 0;
	const json_t *w;
	size_t i;

	json_array_foreach(workers, i, w)
		n += in(w, part, name);
	return n;
}

static const char *
duration(char *dst, size_t n, json_int_t ms)
{
	return num_fmt_duration(dst, n, ms / 1000 * 1000);
}

/*
 * Fills a spool with waiting messages, or measures how fast a queue is known
 * again after a start.
 *
 *	mkqueue --spool DIR [--messages N] [--workers N] [--domains N]
 *		[--size OCTETS] [--wait SECONDS] [--time]
 *
 * Messages are spread over the stores of the workers; each has one recipient
 * in one of the domains and is due after the waiting time. --time opens each
 * store in a process of its own, as the workers do, and prints the seconds
 * until its queue is complete and the memory the process then has.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/shm.h"
#include "queue/queue.h"
#include "store/store.h"

#define IN_FLIGHT 500

struct job {
	const char *spool;
	uint64_t messages, workers, domains, size, wait;
	bool time;
};

struct filler {
	const struct job *job;
	struct loop *loop;
	struct store *store;
	struct ids *ids;
	char *text;
	uint64_t left, in_flight;
};

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (num_u64(str_c(text), INT32_MAX, &n) < 0)
		fatal("not a number: %s", text);
	return n;
}

static void
set_addr(struct pool *pool, struct addr *a, const char *local,
    const char *domain)
{
	memset(a, 0, sizeof(*a));
	a->full = str_c(pool_printf(pool, "%s@%s", local, domain));
	a->local = str_n(a->full.p, strlen(local));
	a->domain = str_c(a->full.p + a->local.n + 1);
}

static struct envelope *
make_env(struct filler *f)
{
	struct envelope *e = envelope_new();
	uint64_t domain = f->left % f->job->domains;
	struct addr a;

	e->mid = ids_next(f->ids, SHM_MID);
	e->icid = 1;
	e->queued = clock_wall();
	set_addr(e->pool, &e->sender, "sender", "sender.example");
	e->client_ip = STR("127.0.0.1");
	e->helo = STR("client.example");
	e->envid = e->auth = STR("");
	e->listener = "inbound";
	e->size = f->job->size;
	set_addr(e->pool, &a, "receiver",
	    pool_printf(e->pool, "d%llu.example", (unsigned long long)domain));
	(void)envelope_add_rcpt(e, &a, STR(""), 0);
	return e;
}

struct one {
	struct filler *f;
	struct envelope *env;
};

static void
on_put(void *arg, const struct err *why)
{
	struct one *o = arg;

	if (why != NULL)
		fatal("%s", why->text);
	o->f->in_flight--;
	envelope_destroy(&o->env);
	mem_free(o);
}

static void
put_one(struct filler *f)
{
	struct body_ref *body = body_new(f->store, NULL, NULL);
	struct store_txn *t = store_txn_new(f->store);
	struct one *o = mem_zalloc(sizeof(*o));

	o->f = f;
	o->env = make_env(f);
	(void)body_write(body, f->text, (size_t)f->job->size);
	body_finish(body);
	store_put(t, o->env, body,
	    clock_wall() + SECONDS((msec)f->job->wait));
	body_unref(&body);
	f->in_flight++;
	f->left--;
	store_commit(t, false, on_put, o);
}

static void
open_store(const struct job *job, unsigned index, struct loop *l,
    struct store **s)
{
	struct store_conf conf = { .dir = job->spool, .index = index,
		.body_in_row = 16384 };
	struct err why = ERR_INIT;

	if (store_open(s, l, &conf, &why) < 0)
		fatal("%s", why.text);
}

static void
fill(const struct job *job)
{
	struct filler f = { .job = job };
	struct err why = ERR_INIT;
	struct shm *shm;
	char path[4096];
	unsigned i;

	(void)snprintf(path, sizeof(path), "%s/ids", job->spool);
	shm = shm_new(1, &why);
	if (file_mkdirs(job->spool, 0700, &why) < 0 || shm == NULL ||
	    ids_open(&f.ids, shm, path, &why) < 0)
		fatal("%s", why.text);
	f.text = mem_alloc((size_t)job->size + 1);
	memset(f.text, 'x', (size_t)job->size);
	f.loop = loop_new();
	for (i = 0; i < job->workers; i++) {
		open_store(job, i, f.loop, &f.store);
		f.left = job->messages / job->workers;
		while (f.left > 0 || f.in_flight > 0) {
			while (f.left > 0 && f.in_flight < IN_FLIGHT)
				put_one(&f);
			loop_once(f.loop, true);
		}
		store_close(&f.store);
	}
	loop_destroy(&f.loop);
	mem_free(f.text);
	ids_close(&f.ids);
	shm_destroy(&shm);
}

static const char *
hop_key(void *arg, const struct queue_to *to)
{
	char *key = arg;

	(void)str_copy(key, ADDR_DOMAIN_MAX + 1, to->domain);
	return key;
}

static const struct queue_profile *
profile(void *arg, const char *key)
{
	static const struct queue_profile p = { .name = "default",
		.first_retry = SECONDS(60), .max_retry = HOURS(1),
		.lifetime = HOURS(72), .max_retries = 100 };

	(void)arg;
	(void)key;
	return &p;
}

static void
due(void *arg, struct qhop *hop)
{
	(void)arg;
	(void)hop;
}

static const struct queue_ops ops = {
	.hop_key = hop_key,
	.profile = profile,
	.due = due,
};

static void
start_one(const struct job *job, unsigned index)
{
	char key[ADDR_DOMAIN_MAX + 1];
	struct loop *l = loop_new();
	double began = seconds(), opened, round, longest = 0;
	struct err why = ERR_INIT;
	struct queue_stats stats;
	struct rusage usage;
	struct store *s;
	struct queue *q;

	open_store(job, index, l, &s);
	opened = seconds();
	if (queue_new(&q, l, s, &ops, key, &why) < 0)
		fatal("%s", why.text);
	queue_recover(q);
	while (queue_recovering(q)) {
		loop_once(l, true);
		/* What a client would wait for: the work of one round. */
		round = seconds();
		loop_once(l, false);
		round = seconds() - round;
		longest = round > longest ? round : longest;
	}
	queue_stats(q, &stats);
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)printf("store %u: %llu messages in %.2f s (open %.2f s, "
		     "longest round %.0f ms), %ld MB\n",
	    index, (unsigned long long)stats.messages, seconds() - began,
	    opened - began, longest * 1e3, usage.ru_maxrss / 1024);
	queue_destroy(&q);
	store_close(&s);
	loop_destroy(&l);
}

static int
start_all(const struct job *job)
{
	int status, worst = 0;
	unsigned i;
	pid_t pid;

	for (i = 0; i < job->workers; i++) {
		pid = fork();
		if (pid < 0)
			fatal("cannot fork");
		if (pid == 0) {
			start_one(job, i);
			(void)fflush(stdout);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		worst |= status;
	return worst == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "spool", required_argument, NULL, 's' },
		{ "messages", required_argument, NULL, 'n' },
		{ "workers", required_argument, NULL, 'w' },
		{ "domains", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 'b' },
		{ "wait", required_argument, NULL, 'a' },
		{ "time", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct job job = { NULL, 10000, 2, 1000, 1000, 3600, false };
	double began = seconds();
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			job.spool = optarg;
		else if (c == 'n')
			job.messages = number(optarg);
		else if (c == 'w')
			job.workers = number(optarg);
		else if (c == 'd')
			job.domains = number(optarg);
		else if (c == 'b')
			job.size = number(optarg);
		else if (c == 'a')
			job.wait = number(optarg);
		else if (c == 't')
			job.time = true;
		else
			return 2;
	}
	if (job.spool == NULL || job.workers == 0 || job.domains == 0 ||
	    optind < argc) {
		(void)fprintf(stderr, "usage: mkqueue --spool DIR [--messages "
		    "N] [--workers N] [--domains N] [--size OCTETS] "
		    "[--wait SECONDS] [--time]\n");
		return 2;
	}
	if (job.time)
		return start_all(&job);
	fill(&job);
	(void)printf("%llu messages in %.1f s\n",
	    (unsigned long long)job.messages, seconds() - began);
	return 0;
}

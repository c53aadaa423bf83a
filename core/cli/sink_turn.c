#include "cli/sink_turn.h"

static void set_limits(struct sink_turn *t, const struct sink_conf *conf);

int
sink_turns_make(struct sink_turns *t, const struct sink_conf *conf,
    const struct sink_words *words, struct err *why)
{
	struct sink_turn *one;
	uint64_t n = 0;

	do {
		ASSERT(t->n < SINK_WORDS + 1);
		one = &t->turn[t->n++];
		sink_words_at(words, n, &one->set);
		if (conf->tls != NULL && one->set.road != FAULT_NOSTARTTLS &&
		    sink_tls_ctx(
			conf->tls, words, &one->set, &one->tlsctx, why) < 0)
			return -1;
		set_limits(one, conf);
		n = sink_words_next(words, n);
		one->until = n;
	} while (n != 0);
	return 0;
}

void
sink_turns_fini(struct sink_turns *t)
{
	while (t->n > 0)
		tlsctx_unref(&t->turn[--t->n].tlsctx);
}

const struct sink_turn *
sink_turns_take(struct sink_turns *t)
{
	uint64_t n = t->connections++;
	unsigned i = 0;

	while (t->turn[i].until != 0 && n >= t->turn[i].until)
		i++;
	return &t->turn[i];
}

/* Wide, so that it is the sender that is seen, not we. */
static void
set_limits(struct sink_turn *t, const struct sink_conf *conf)
{
	t->smtpd = (struct smtpd_conf){
		.hostname = conf->hostname,
		.banner_host = conf->hostname,
		.banner_text = "postern sink",
		.listener = "sink",
		.tls = t->tlsctx != NULL ? SMTPD_TLS_PREFERRED : SMTPD_TLS_OFF,
		.tlsctx = t->tlsctx,
		.max_size = UINT64_C(1) << 32,
		.max_header = 16 << 20,
		.max_rcpt = 50000,
		.max_hops = 1000,
		.max_errors = 1000,
		.max_bad_rcpt = 50000,
		.max_commands = 100000,
		.idle_timeout = MINUTES(5),
		.data_timeout = MINUTES(3),
		.total_timeout = HOURS(24),
		.tls_timeout = MINUTES(1),
		.dsn = true,
		.chunking = true,
		.smtputf8 = true,
		.requiretls = true,
	};
}

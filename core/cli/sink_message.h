/*
 * One message at the sink: its facts, its file, and how both are shown.
 */
#ifndef CLI_SINK_MESSAGE_H
#define CLI_SINK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mail/body.h"
#include "mail/envelope.h"
#include "tls/tlsio.h"

struct sink_message {
	uint64_t number;  /* 1 for the first of this run */
	uint64_t connection;
	const char *local; /* the address that was connected to */
	const char *peer;  /* address and port */
	struct str helo;
	bool esmtp;
	const struct tls_info *tls; /* NULL: in clear */
	const struct envelope *env;
	uint64_t size;
	const struct bodyin *facts;
	const char *file; /* NULL: not kept */
};

/* A file under a name of its own until the message is whole. */
struct sink_file {
	int fd; /* -1: none is open */
	char *dir;
	bool failed;
};

int sink_file_open(struct sink_file *f, const char *dir, struct err *why);
void sink_file_add(struct sink_file *f, const char *p, size_t n);
/* Gives it its name DIR/NUMBER.eml, written to name_r. */
int sink_file_keep(struct sink_file *f, uint64_t number, char *name_r, size_t n,
    struct err *why);
void sink_file_drop(struct sink_file *f);

void sink_message_text(const struct sink_message *m, struct buf *dst);
/* One object, with a newline behind it. */
void sink_message_json(const struct sink_message *m, struct buf *dst);

#endif

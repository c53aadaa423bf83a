/*
 * A conversation with the SMTP client, written down.
 *
 * A script is a list of lines, ended by NULL. The first character tells what
 * it is: 'C' the client must now say this line, 'B' these octets; 'S' the
 * server says this line, 'R' these octets; 'X' the server closes; 'T' it
 * starts TLS; 'D' it forgets what it has heard, which must be something. When
 * the server speaks, the client must have said nothing more than the script
 * has up to there. What the client tells its owner is collected as text in
 * talk.told.
 */
#ifndef TALK_H
#define TALK_H

#include "base/buf.h"
#include "smtp/smtpc.h"

enum { TALK_RCPTS = 8 };

struct talk_message {
	const char *from;
	const char *to[TALK_RCPTS];
	const char *orcpt;
	const char *envid;
	unsigned notify;
	unsigned flags;	    /* of the envelope */
	const char *header; /* in front of the body */
	const char *body;
	uint64_t size;	/* 0: as long as they are */
	unsigned piece; /* octets of the body at a time, 0: all */
	bool late;	/* each piece is preceded by LATER */
	bool stuck;	/* LATER for ever behind the first piece */
	bool broken;	/* the source fails behind the first piece */
};

struct talk {
	/* set by the test, after talk_init() */
	struct smtpc_conf conf;
	const char *const *script;
	const struct talk_message *message; /* one after the other */
	unsigned messages;
	unsigned cut;	     /* the server's octets come in such pieces */
	const char *tester;  /* MAIL FROM it and no more; tell all that is
				said */
	unsigned destroy_at; /* destroy the client in its nth callback */
	bool seqpacket;	     /* keep the boundaries of what is sent */
	struct tlsctx *server_tls;
	bool hello_is_enough; /* what follows the script is not looked at */
	/* results */
	bool spoke_clear; /* a command stands behind the script's end */
	struct buf told;
	unsigned packets; /* that the server got */
	bool complete;	  /* the script was followed to its end */
};

void talk_init(struct talk *t);
/* Runs it until the client is closed and the script at its end. */
void talk_run(struct talk *t);
/* Runs it and compares what the owner was told. */
void talk_check(struct talk *t, const char *told);
void talk_fini(struct talk *t);

#endif

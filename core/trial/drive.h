/*
 * Questions to the policy engine of a trial (sdk/engine/policy.h), and what it
 * puts itself while it runs a test: messages to try, answers to can, time.
 *
 * Of the engine's requests, {"do":WORD, …}:
 *   send   from, rcpt (list), headers (list of [name, value]), body, ip, name,
 *          helo, auth, listener, tls {version, cipher, and of its certificate
 *          cert ("verified"), sha256, subject, issuer, names}, require_tls
 *          (with REQUIRETLS); all but rcpt have a default. refused {mail:
 *          {code, enhanced, text, by}, rcpt: {address: so}}: what the server
 *          refuses before it asks anybody. Answer: see drive_send().
 *   can    kind ("dns", "http", "lookup") and words, each text or {"q":text}
 *   deliver  hook ("deliver", "queued", "delivered", "deferred", "bounced"),
 *          rcpt (else the first), facts {host, attempt, …}: of
 *          what was sent last. Answer: see drive_deliver().
 *   pass   ms: so much time
 */
#ifndef TRIAL_DRIVE_H
#define TRIAL_DRIVE_H

#include <jansson.h>

#include "trial/trial.h"

/* 0 and the answer, or -1 and why: the engine failed, with what it logged. */
int drive_ask(struct trial *t, const char *instance, const json_t *question,
    json_t **answer_r, struct err *why);
/*
 * A session with one message, as far as it gets:
 *   stage    the last thing that was asked ("connect" … "branch")
 *   verdict  "accept", "reject", "tempfail", "discard", "quarantine",
 *            "disconnect"
 *   reply    {code, enhanced, text}: what the client is told at that stage
 *   by       the instance that ended it, or null
 *   rcpt     [{address, taken, reply, tls (level), want, route,
 *             bounce_profile, hold,
 *            quarantine, branch, header [[name, value] …]} …]
 *   branches [{rcpt [address …], quarantine, hold} …]
 *   notes, log, alerts  {name: value}, lines of this message
 */
json_t *drive_send(struct trial *t, const json_t *message);
/* The same, but the message can be delivered until the next one is sent. */
json_t *drive_message(struct trial *t, const json_t *message);
/* A hook of its delivery: verdict, reply, tls, want, route, log, alerts. */
json_t *drive_deliver(struct trial *t, const json_t *what);

#endif

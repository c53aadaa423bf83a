/*
 * The wires between peers and the sink's sessions: each forwards octets both
 * ways, keeps them (sink_capture.h) and does what is to go wrong before TLS
 * (sink_fault.h). So the session itself is that of the real server.
 *
 * Commands in clear are looked at one by one until the first DATA or BDAT; from
 * there on, and behind a 220 for STARTTLS, octets only pass. What waits for a
 * slow side is bounded. A wire ends with its peer, or when the session has
 * ended and everything is sent.
 */
#ifndef CLI_SINK_WIRE_H
#define CLI_SINK_WIRE_H

#include "cli/sink_fault.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/stream.h"

struct sink_wires;

struct sink_wire_conf {
	uint64_t number; /* of the connection */
	enum sink_fault road;
	unsigned code;
	const char *dir; /* of captures; NULL: none */
	const struct sock_addr *peer;
};

/* idle() is called, from the loop, whenever the last wire has ended. */
struct sink_wires *sink_wires_new(struct loop *l, loop_fn *idle, void *arg);
void sink_wires_destroy(struct sink_wires **wsp);
/* Is there a wire's work to do? */
bool sink_wire_needed(const struct sink_wire_conf *conf);
/* Takes fd, gives the session's end; NULL: no more sockets, fd is closed. */
struct stream *sink_wires_add(struct sink_wires *ws, int fd,
    const struct sink_wire_conf *conf, struct err *why);
/* For the capture, if the wire is still there; up: TLS is. */
void sink_wires_note(struct sink_wires *ws, uint64_t number, bool up,
    const char *text);
/* Ends those that wait for nothing but their peer. */
void sink_wires_stop(struct sink_wires *ws);
bool sink_wires_idle(const struct sink_wires *ws);

#endif

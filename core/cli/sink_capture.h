/*
 * What came and went on one connection, octet by octet, as a file of lines
 * (postern-sink(8)):
 *
 *     # connection 3 from 127.0.0.1:40312 to 127.0.0.2:2525 at 2026-11-21T…Z
 *     0.001 > clear 220 sink.test ESMTP postern sink\r\n
 *     0.002 < clear EHLO relay.test\r\n
 *     0.004 < handshake \x16\x03\x01…
 *     # 0.009 TLSv1.3 TLS_AES_128_GCM_SHA256
 *
 * Seconds since the beginning, the direction (< from the peer), the phase, the
 * octets. A file that cannot be written is told of once and ends there.
 */
#ifndef CLI_SINK_CAPTURE_H
#define CLI_SINK_CAPTURE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

enum sink_phase {
	PHASE_CLEAR,	 /* until a 220 for STARTTLS has gone out */
	PHASE_HANDSHAKE, /* until TLS is up */
	PHASE_TLS
};

struct sink_capture {
	int fd; /* -1: none */
	msec begun;
	enum sink_phase phase;
};

/* Opens DIR/NUMBER.wire. */
int sink_capture_open(struct sink_capture *c, const char *dir, uint64_t number,
    struct err *why);
void sink_capture_octets(struct sink_capture *c, char direction,
    struct str octets);
void sink_capture_note(struct sink_capture *c, const char *text);
void sink_capture_close(struct sink_capture *c);

#endif

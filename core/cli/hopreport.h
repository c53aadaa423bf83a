/*
 * How a received message was encrypted, hop by hop: the report behind
 * `postern headers`.
 */
#ifndef CLI_HOPREPORT_H
#define CLI_HOPREPORT_H

#include "base/buf.h"
#include "base/str.h"

#define HOPREPORT_MAX 1000 /* Received fields that are looked at */

/*
 * message: a header, or all of a message, with CRLF, or LF alone as files have
 * it; an mbox's first line is passed over. Adds text for a person, nothing of
 * it a control octet but LF, or one line of JSON. Returns the number of hops.
 */
unsigned hopreport(struct buf *dst, struct str message, bool json);

#endif

/*
 * postern/route.h - route/1: where mail for a recipient goes.
 *
 * "route/1.route": for each recipient at the end of the message, unless its
 * "rcpt.route" was set before. May wait. The first answer counts: the name of
 * a route block, or hosts as in one ("mx:example.net", "[192.0.2.1]:25", blanks
 * between several). It is kept with the recipient. An answer that is neither
 * is a failure: the message is refused for now.
 */
#ifndef POSTERN_ROUTE_H
#define POSTERN_ROUTE_H

#include <postern/plugin.h>

#define PST_ROUTE_ROUTE "route/1.route" /* struct pst_route */

struct pst_route {
	uint32_t size;
	const char *address, *domain;
	const char *route; /* out: NULL, or text in memory of the event */
};

#endif

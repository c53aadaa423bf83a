/*
 * postern/route.h - route/1: where mail for a recipient goes.
 *
 * "route/1.route": for each recipient at the end of the message, behind "eom",
 * unless its "rcpt.route" was set before. May wait. The first answer counts:
 * the name of a route block, or hosts as in one ("mx:example.net",
 * "[192.0.2.1]:25", one blank between several). A single word without a port
 * and without "mx:" is a name. PST_ACCEPT without a route: no other plugin is
 * asked. The answer is kept with the recipient. One that is neither name nor
 * hosts and every other verdict is a failure: the message is refused for now.
 */
#ifndef POSTERN_ROUTE_H
#define POSTERN_ROUTE_H

#include <postern/plugin.h>

#define PST_ROUTE_ROUTE "route/1.route" /* struct pst_route */

struct pst_route {
	uint32_t size;
	const char *address;
	const char *domain; /* lower case, A-labels; our own name for mail to
			     * "postmaster" alone */
	const char *route; /* out: NULL, or text in memory of the event */
};

#endif

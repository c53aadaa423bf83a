/*
 * Telling the service manager how we are (sd_notify(3), without its library).
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "base/clock.h"
#include "base/die.h"

/* "READY=1\nSTATUS=…"; does nothing without NOTIFY_SOCKET. */
void notify_send(const char *fmt, ...) ATTR_PRINTF(1, 2);
/* How often WATCHDOG=1 is wanted; 0: not at all. */
msec notify_watchdog(void);

#endif

/*
 * The file of records that are answered locally: see dns.h.
 */
#ifndef NET_DNS_RECORDS_H
#define NET_DNS_RECORDS_H

#include "base/err.h"

struct ub_ctx;

int dns_records_load(struct ub_ctx *ctx, const char *path, struct err *why);

#endif

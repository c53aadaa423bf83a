/*
 * What is asked of a web server: the URL taken apart, the request written.
 */
#ifndef HOST_HTTPOUT_H
#define HOST_HTTPOUT_H

#include <postern/plugin.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define HTTPOUT_URL_MAX 8192
#define HTTPOUT_HEAD_MAX 65536
#define HTTPOUT_BODY_MAX (64 * 1024 * 1024)

/* Pieces of the URL's text. */
struct httpurl {
	bool tls;
	bool literal;	 /* the host is an address */
	struct str host; /* without brackets */
	struct str authority;
	uint16_t port;
	struct str path; /* and query; "" stands for "/" */
};

/* http:// and https:// only, without user and password. */
int httpurl_read(struct httpurl *u_r, struct str url, struct err *why);
/* Head and body; url is q's. */
int httpout_write(struct buf *dst, const struct pst_http *q,
    const struct httpurl *url, struct err *why);
const char *httpout_method(const struct pst_http *q);

#endif

/*
 * Requests to web servers, for plugins (pst_http).
 *
 * HTTP/1.1 over TCP or TLS, a connection for each request, no redirects. A
 * server's certificate must be one for the name (or address) in the URL and
 * lead to a root of ca_file, or of the system. What an answer's end is must be
 * told by its length or its chunks; over TLS the end of the connection is none.
 * HTTP_AT_ONCE requests have connections at the same time, HTTP_WAITING more
 * may wait for one.
 *
 * Any answer is PST_OK, with its code and its body in item[0]. PST_TIMEOUT:
 * the time was over. PST_TEMPERR: no name, no connection, no TLS, or what came
 * is not HTTP or too much. PST_FAILED: the request cannot be made as it is.
 */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include <postern/plugin.h>

#include "net/dns.h"
#include "net/loop.h"

#define HTTP_AT_ONCE 64
#define HTTP_WAITING 1024
#define HTTP_TIMEOUT SECONDS(10) /* unless the request names another */
#define HTTP_BODY_MAX (1024 * 1024)
#define HTTP_ROOTS "/etc/ssl/certs/ca-certificates.crt"

struct http;
struct http_client;

/* The result is valid during the call only. */
typedef void http_fn(void *arg, const struct pst_result *r);

/* d NULL: only addresses can be asked. */
struct http_client *http_client_new(struct loop *l, struct dns *d);
/* Every request must have ended. */
void http_client_destroy(struct http_client **cp);

/* Copies q. fn is called once, never from inside. */
struct http *http_start(struct http_client *c, const struct pst_http *q,
    http_fn *fn, void *arg);
/* Sets *hp NULL; fn will not be called. fn itself must forget its pointer. */
void http_cancel(struct http **hp);

#endif

/*
 * Operations of interfaces, as plugins name them (sdk/postern/NAME.h).
 *
 * OP(id, word, wait, help)
 * wait: 1 where PST_WAIT is allowed. A plugin that names another one is
 * refused: it would never be called.
 */
OP(ALERT_EMIT, "alert_sink/1.emit", 1, "an alert")
OP(ALERT_TEST, "alert_sink/1.test", 1, "a test of the way alerts go")
OP(CERT_LIST, "cert_store/1.list", 1, "names all certificates")
OP(FILTER_BEGIN, "filter/1.begin", 1, "content comes")
OP(FILTER_CHUNK, "filter/1.chunk", 1, "a piece of content")
OP(FILTER_END, "filter/1.end", 1, "all content was there")
OP(LOG_EMIT, "log_sink/1.emit", 0, "a record of the log")
OP(LOG_FLUSH, "log_sink/1.flush", 0, "records are to be written")
OP(LOG_LINE, "log_sink/1.line", 0, "a record of the log without its fields")
OP(LOG_REOPEN, "log_sink/1.reopen", 0, "files were rotated")
OP(LOG_TRY, "log_sink/1.try", 0, "can the log be written?")
OP(LOOKUP_GET, "lookup/1.get", 1, "values of a key")
OP(METRICS_EMIT, "metrics/1.emit", 0, "all metrics, each second")
OP(POLICY_ANSWER, "policy/1.answer", 0, "the command line has answered")
OP(POLICY_ASK, "policy/1.ask", 1, "a question of the command line")
OP(ROUTE_ROUTE, "route/1.route", 1, "where mail for a recipient goes")
OP(STORE_TABLE, "store/1.table", 0, "where the queue is kept")
OP(TLS_RCPT, "tls_policy/1.rcpt", 0, "TLS that a recipient needs")
OP(TLS_ENTRY, "tls_policy/1.entry", 0, "which entry a need comes from")
OP(TLS_DECIDE, "tls_policy/1.decide", 1, "TLS that a next hop needs")

/*
 * What a node counts; shown by `postern status` and to monitoring.
 *
 * METRIC(id, name, kind, help): kind is COUNTER (only grows while the node
 * runs) or GAUGE. The value is the sum over the workers (base/shm), M_<id> its
 * number. A "-" in a name, which comes from another list, is shown as "_".
 */
METRIC(SESSIONS, "connections_in_total", COUNTER,
    "Connections accepted from clients")
METRIC(SESSIONS_NOW, "connections_in", GAUGE,
    "Connections from clients that are open")
METRIC(SESSIONS_REFUSED, "connections_refused_total", COUNTER,
    "Connections from clients refused by a limit or a rule")
METRIC(TLS_IN, "tls_in_total", COUNTER,
    "TLS handshakes with clients that succeeded")
METRIC(TLS_IN_RESUMED, "tls_in_resumed_total", COUNTER,
    "Those of them that resumed a session")
METRIC(TLS_IN_FAILED, "tls_in_failed_total", COUNTER,
    "TLS handshakes with clients that failed")
#define TLS_REASON(id, word, type, status, text)                               \
	METRIC(TLS_IN_FAILED_##id, "tls_in_failed_" word "_total", COUNTER,    \
	    "Those of them of this kind: " text)
#include "tbl/reasons.h"
#undef TLS_REASON
METRIC(MESSAGES_IN, "messages_received_total", COUNTER,
    "Messages accepted from clients")
METRIC(BYTES_IN, "bytes_received_total", COUNTER,
    "Octets of content in accepted messages")
METRIC(RCPTS_IN, "recipients_received_total", COUNTER,
    "Recipients of accepted messages")
METRIC(RCPTS_REFUSED, "recipients_refused_total", COUNTER,
    "Recipients refused in the session")
METRIC(MESSAGES_REFUSED, "messages_refused_total", COUNTER,
    "Messages refused after their content was sent")
METRIC(STORE_COMMITS, "store_commits_total", COUNTER,
    "Durable commits of the message store")
METRIC(STORE_ERRORS, "store_errors_total", COUNTER,
    "Operations of the message store that failed")
METRIC(QUEUE_MESSAGES, "queue_messages", GAUGE,
    "Messages in the queue")
METRIC(QUEUE_RCPTS, "queue_recipients", GAUGE,
    "Recipients in the queue that are still to be delivered")
METRIC(QUEUE_BYTES, "queue_bytes", GAUGE,
    "Octets of content in the queue")
METRIC(CONNS_OUT, "connections_out_total", COUNTER,
    "Connections made to deliver mail")
METRIC(CONNS_OUT_NOW, "connections_out", GAUGE,
    "Connections for delivery that are open")
METRIC(CONNS_OUT_FAILED, "connections_out_failed_total", COUNTER,
    "Connections for delivery that could not be made")
METRIC(CONNS_OUT_REUSED, "connections_out_reused_total", COUNTER,
    "Deliveries over a connection that had served another before")
METRIC(TLS_OUT, "tls_out_total", COUNTER,
    "TLS handshakes for delivery that succeeded")
METRIC(TLS_OUT_RESUMED, "tls_out_resumed_total", COUNTER,
    "Those of them that resumed a session")
METRIC(TLS_OUT_VERIFIED, "tls_out_verified_total", COUNTER,
    "Those of them where chain and name of the peer were found right")
METRIC(TLS_OUT_FAILED, "tls_out_failed_total", COUNTER,
    "Connections for delivery that asked for TLS and did not get it")
#define TLS_REASON(id, word, type, status, text)                               \
	METRIC(TLS_OUT_FAILED_##id, "tls_out_failed_" word "_total", COUNTER,  \
	    "Those of them of this kind: " text)
#include "tbl/reasons.h"
#undef TLS_REASON
METRIC(TLS_STEP_CLASSIC, "tls_out_step_classic_total", COUNTER,
    "Handshakes for delivery tried again without post-quantum groups")
METRIC(TLS_STEP_TLS12, "tls_out_step_tls12_total", COUNTER,
    "Handshakes for delivery tried again with nothing above TLS 1.2")
METRIC(TLS_STEP_RSA, "tls_out_step_rsa_total", COUNTER,
    "Handshakes for delivery tried again with RSA key exchange")
METRIC(TLS_STEP_CLEAR, "tls_out_step_clear_total", COUNTER,
    "Times that clear text took the place of TLS that failed")
METRIC(MESSAGES_OUT_TLS, "messages_delivered_tls_total", COUNTER,
    "Transactions inside TLS that a next hop accepted")
METRIC(MESSAGES_OUT_CLEAR, "messages_delivered_clear_total", COUNTER,
    "Transactions in clear text that a next hop accepted")
METRIC(RCPTS_DELIVERED, "recipients_delivered_total", COUNTER,
    "Recipients that a next hop accepted")
METRIC(RCPTS_DEFERRED, "recipients_deferred_total", COUNTER,
    "Attempts after which a recipient was put off")
METRIC(RCPTS_BOUNCED, "recipients_bounced_total", COUNTER,
    "Recipients given up")
METRIC(BYTES_OUT, "bytes_delivered_total", COUNTER,
    "Octets of content accepted by next hops")
METRIC(REPORTS, "reports_total", COUNTER,
    "Delivery status notifications generated")
METRIC(DNS_QUERIES, "dns_queries_total", COUNTER,
    "Questions asked of the resolver")
METRIC(DNS_FAILED, "dns_failed_total", COUNTER,
    "Questions the resolver could not answer")
METRIC(LOG_LOST, "log_lines_lost_total", COUNTER,
    "Lines of the mail log that no sink could take")
METRIC(ALERTS, "alerts_total", COUNTER,
    "Alerts raised")
METRIC(TLS_EPISODES, "tls_episodes", GAUGE,
    "Episodes of required TLS that could not be had which are open")
METRIC(TLS_EPISODES_OPENED, "tls_episodes_opened_total", COUNTER,
    "Such episodes that began")
METRIC(TLS_EPISODES_RESOLVED, "tls_episodes_resolved_total", COUNTER,
    "Such episodes that were resolved")
METRIC(RESTARTS, "worker_restarts_total", COUNTER,
    "Workers replaced after an unexpected end")

/*
 * The mail log's lines (requirements.md section 5).
 *
 * EVENT(id, level, json name, text)
 * In the text, %T{name} is an argument and name its key in the JSON form. T:
 *   d  int64_t
 *   u  uint64_t
 *   s  const char *, of ours
 *   e  struct str from outside, escaped
 *   q  struct str from outside, quoted as Python's repr() does
 *   l  struct str of lines with LF between them: 'one', 'two'
 *   r  struct log_rids: [0, 1]
 * %T{name|text}: text stands there when the argument is empty (null in JSON).
 * %-T{name} is in the JSON form only.
 * %[ and %] enclose what is left out when all arguments in it are empty.
 */
EVENT(LOG_LOST, WARNING, "log_lost",
    "Log: %u{lines} lines were lost while this log could not be written")

EVENT(NEW_ICID, INFO, "connection",
    "New SMTP ICID %u{icid} interface %s{interface|unknown} "
    "(%s{interface_ip}) address %s{client_ip} "
    "reverse dns host %e{client_name|unknown} verified %s{verified|no}")
EVENT(ICID_SG, INFO, "sender_group",
    "ICID %u{icid} %s{action} SG %s{group|None}%[ match %e{match}%] "
    "SBRS not enabled country not enabled")
EVENT(ICID_TLS_OK, INFO, "tls_in",
    "ICID %u{icid} TLS success protocol %s{protocol} cipher %s{cipher}")
EVENT(ICID_CERT, INFO, "client_certificate",
    "ICID %u{icid} peer certificate %s{verdict}%[: %e{reason}%] "
    "sha256 %s{sha256}")
EVENT(ICID_TLS_FAILED, INFO, "tls_in_failed",
    "ICID %u{icid} TLS failed: %e{why|unknown reason}%-s{reason}")
EVENT(ICID_TLS_DETAIL, INFO, "tls_in_detail",
    "ICID %u{icid} handshake: %e{detail}")
EVENT(ICID_TLS_REQUIRED, INFO, "tls_in_required",
    "ICID %u{icid} TLS was required but remote host did not initiate it")
EVENT(ICID_LOST, INFO, "client_lost", "ICID %u{icid} lost")
EVENT(ICID_CLOSE, INFO, "client_close", "ICID %u{icid} close")
EVENT(ICID_FAILED, INFO, "receiving_failed",
    "ICID %u{icid} Receiving Failed: %e{why|unknown reason}")
EVENT(ICID_REJECTED, INFO, "rejected",
    "ICID %u{icid} Rejected by %s{by}: %e{text}")
EVENT(ICID_DISCONNECTED, INFO, "disconnected",
    "ICID %u{icid} disconnected address %s{client_ip}, "
    "%e{why|unknown reason}")

EVENT(MID_START, INFO, "start", "Start MID %u{mid} ICID %u{icid}")
EVENT(MID_FROM, INFO, "from", "MID %u{mid} ICID %u{icid} From: <%e{from}>")
EVENT(MID_TO, INFO, "to",
    "MID %u{mid} ICID %u{icid} RID %u{rid} To: <%e{to}>")
EVENT(MID_TO_REJECTED, INFO, "to_rejected",
    "MID %u{mid} ICID %u{icid} To: <%e{to}> Rejected by %s{by}")
EVENT(MID_TO_DROPPED, INFO, "to_dropped",
    "MID %u{mid} ICID %u{icid} To: <%e{to}> Dropped by %s{by}")
EVENT(MID_REJECTED, INFO, "data_rejected",
    "MID %u{mid} ICID %u{icid} Rejected by %s{by}: %e{text}")
EVENT(MID_MESSAGE_ID, INFO, "message_id",
    "MID %u{mid} Message-ID %q{message_id}")
EVENT(MID_SUBJECT, INFO, "subject", "MID %u{mid} Subject %q{subject}")
EVENT(MID_READY, INFO, "ready",
    "MID %u{mid} ready %u{bytes} bytes from <%e{from}>")
EVENT(MID_SPLIT, INFO, "split",
    "MID %u{mid} was split creating MID %u{child} due to a per-recipient "
    "policy %s{policy|unknown}")
EVENT(MID_WAITS, INFO, "waits",
    "MID %u{mid} waits for MID %s{for}, not longer than till %s{till}")
EVENT(MID_GOES, INFO, "goes", "MID %u{mid} waits no longer: %s{why}")
EVENT(MID_QUEUED, INFO, "queued", "MID %u{mid} queued for delivery")
EVENT(MID_QUARANTINED, INFO, "quarantined",
    "MID %u{mid} quarantined to \"%s{quarantine}\" (%e{reason})")
EVENT(MID_ABORTED, INFO, "aborted",
    "Message aborted MID %u{mid} %e{why|unknown reason}")
EVENT(MID_BASED_ON, INFO, "based_on",
    "MID %u{mid} was generated based on MID %u{of} by %s{agent} filter "
    "'%s{filter}'")
EVENT(MID_BOUNCE_OF, INFO, "generated",
    "MID %u{mid} was generated for bounce of MID %u{of}")

EVENT(NEW_DCID, INFO, "delivery_connection",
    "New SMTP DCID %u{dcid} interface %s{interface|unknown} "
    "address %s{ip} port %u{port}")
EVENT(DCID_TLS_OK, INFO, "tls_out",
    "DCID %u{dcid} TLS success protocol %s{protocol} cipher %s{cipher}"
    "%[ for %e{domain}%]")
EVENT(DCID_TLS_FAILED, INFO, "tls_out_failed",
    "DCID %u{dcid} TLS failed: %e{why|unknown reason}%-s{reason}")
EVENT(DCID_TLS_REQUIRED, WARNING, "tls_out_required",
    "DCID %u{dcid} IP %s{ip} TLS was required but could not be successfully "
    "negotiated%-s{reason}")
EVENT(DCID_VERIFIED, INFO, "peer_verified",
    "DCID %u{dcid} peer certificate verified matched %s{by}%[ %e{name}%]")
EVENT(DCID_UNVERIFIED, INFO, "peer_not_verified",
    "DCID %u{dcid} peer certificate not verified: %s{reason}"
    "%[ (%e{names})%]")
EVENT(DCID_TLS_DETAIL, INFO, "tls_out_detail",
    "DCID %u{dcid} handshake: %e{detail}")
EVENT(DCID_TLS_STEP, INFO, "tls_out_step",
    "DCID %u{dcid} IP %s{ip} handshake failed at step %s{step}: %s{reason}, "
    "next step %s{next}")
EVENT(DCID_TLS_CLEAR, WARNING, "tls_out_clear",
    "DCID %u{dcid} IP %s{ip} has no working TLS: %s{reason}, clear text for "
    "%u{seconds} seconds")
EVENT(DCID_TLS_HISTORY, WARNING, "tls_out_history",
    "DCID %u{dcid} IP %s{ip} had working TLS: %s{reason}, no clear text in "
    "its place")
EVENT(DCID_CLOSE, INFO, "delivery_close", "DCID %u{dcid} close")
EVENT(CONN_ERROR, INFO, "connection_error",
    "Connection Error: DCID %u{dcid} domain: %e{domain} IP: %s{ip|unknown} "
    "port: %u{port} details: %e{details|none} "
    "interface: %s{interface|unknown} reason: %s{reason}")

EVENT(DELIVERY_START, INFO, "delivery_start",
    "Delivery start DCID %u{dcid} MID %u{mid} to RID %r{rids}")
EVENT(DELIVERY_TREATED, INFO, "delivery_treated",
    "Delivery DCID %u{dcid} MID %u{mid} to RID %r{rids} goes another way"
    "%[ TLS %e{tls}%]%[ route %e{route}%]")
EVENT(MESSAGE_DONE, INFO, "delivered",
    "Message done DCID %u{dcid} MID %u{mid} to RID %r{rids}")
EVENT(RESPONSE, INFO, "response",
    "MID %u{mid} RID %r{rids} Response %q{response}")
EVENT(MESSAGE_FINISHED, INFO, "finished",
    "Message finished MID %u{mid} %s{how}")
EVENT(BOUNCED, INFO, "bounced",
    "Bounced: DCID %u{dcid} MID %u{mid} to RID %u{rid} - %s{status} - "
    "%s{text} (%q{code|'000'}, [%l{reply}]) []")
EVENT(DELAYED, INFO, "delayed",
    "Delayed: DCID %u{dcid} MID %u{mid} to RID %u{rid} - %s{status} - "
    "%s{text} (%q{code|'000'}, [%l{reply}]) []")
EVENT(PENDING, INFO, "pending",
    "MID %u{mid} to RID %r{rids} pending till %s{till}%[ [%s{profile}]%]")
EVENT(DOUBLE_BOUNCE, INFO, "double_bounce",
    "Double bounce: MID %u{mid} to RID %u{rid} - %s{status} - "
    "%e{text|Other mail system problem}")

EVENT(PLUGIN_DEBUG, DEBUG, "plugin_debug",
    "Plugin %s{plugin}: %[MID %u{mid} %]%[ICID %u{icid} %]%e{text}")
EVENT(PLUGIN_INFO, INFO, "plugin",
    "Plugin %s{plugin}: %[MID %u{mid} %]%[ICID %u{icid} %]%e{text}")
EVENT(PLUGIN_WARNING, WARNING, "plugin_warning",
    "Plugin %s{plugin}: %[MID %u{mid} %]%[ICID %u{icid} %]%e{text}")
EVENT(PLUGIN_CRITICAL, CRITICAL, "plugin_error",
    "Plugin %s{plugin}: %[MID %u{mid} %]%[ICID %u{icid} %]%e{text}")
EVENT(ALERT_SENT, INFO, "alert_sent", "%e{text}%-s{plugin}")
EVENT(ALERT_FAILED, CRITICAL, "alert_failed", "%e{text}%-s{plugin}")
EVENT(PLUGIN_FAULT, WARNING, "plugin_fault",
    "Plugin %s{plugin}%[ (%s{file})%] failed at %s{hook}%[ (%s{place})%]: "
    "%[MID %u{mid} %]%[ICID %u{icid} %]%e{why}")
EVENT(PLUGIN_SLOW, WARNING, "plugin_slow",
    "Plugin %s{plugin}%[ (%s{file})%] blocked everything for %u{ms} ms at "
    "%s{hook}%[ (%s{place})%]%[ MID %u{mid}%]%[ ICID %u{icid}%]")
EVENT(PLUGIN_MISUSE, WARNING, "plugin_misuse",
    "Plugin %s{plugin} at %s{hook}%[ (%s{place})%]: %[MID %u{mid} %]"
    "%[ICID %u{icid} %]%e{what}")

EVENT(PLUGIN_CRASHED, CRITICAL, "plugin_crashed",
    "Plugin %s{plugin} brought worker %u{worker} down at %s{hook}"
    "%[ (%s{place})%]: %[MID %u{mid} %]%[ICID %u{icid} %]%s{how}, it had run "
    "for %u{ms} ms")
EVENT(PLUGIN_HANGS, CRITICAL, "plugin_hangs",
    "Plugin %s{plugin} hangs worker %u{worker} at %s{hook}"
    "%[ (%s{place})%]: %[MID %u{mid} %]%[ICID %u{icid} %]for %u{ms} ms")
EVENT(PLUGIN_LATE, WARNING, "plugin_late",
    "Plugin %s{plugin}: work on a thread, begun at %s{hook}, has not come back:"
    " %[MID %u{mid} %]%[ICID %u{icid} %]for %u{ms} ms, %s{what}")
EVENT(PLUGIN_TRIPPED, CRITICAL, "plugin_tripped",
    "Plugin %s{plugin} brought %u{crashes} workers down within %u{seconds} "
    "seconds: %s{what}")
EVENT(MID_FROZEN, CRITICAL, "frozen", "MID %u{mid} frozen: %s{why}")

EVENT(ALERT, WARNING, "alert",
    "Alert %s{class}/%s{severity}: %e{text}%-e{key}%-e{detail}")
EVENT(CERT_EXPIRES, WARNING, "certificate_expires",
    "Certificate %q{name} (%e{use}) expires in %d{days} days, %s{date}")
EVENT(CERT_EXPIRED, WARNING, "certificate_expired",
    "Certificate %q{name} (%e{use}) expired %d{days} days ago, %s{date}")

/*
 * What plugins and rules can read and set, by name: the same words in C, Lua,
 * JSON log and manual.
 *
 * FACT(id, name, set, help)
 * set: "" read only; "m" up to the branch hook for the message (inside
 * each_rcpt and at branch for that recipient or branch); "d" at deliver.
 * Numbers are decimal, truth is "yes" or "no"; what is not known is not set.
 */
FACT(HOST, "host", "", "our host name")
FACT(WORKER, "worker", "", "number of this worker")
FACT(LISTENER, "listener", "", "name of the listener")
FACT(ICID, "icid", "", "number of the connection; 0: made by us")
FACT(CLIENT_IP, "client.ip", "", "address of the client")
FACT(CLIENT_PORT, "client.port", "", "its port")
FACT(CLIENT_NAME, "client.name", "", "its name, if one was found")
FACT(CLIENT_VERIFIED, "client.verified", "",
    "the name leads back to the address")
FACT(CLIENT_HELO, "client.helo", "", "what it calls itself")
FACT(CLIENT_ESMTP, "client.esmtp", "", "it said EHLO")
FACT(CLIENT_AUTH, "client.auth", "", "who it authenticated as")
FACT(CLIENT_RELAY, "client.relay", "", "it may send to anywhere")
FACT(CLIENT_GROUP, "client.group", "",
    "the sender_group that it is in; not set: in none")
FACT(DIRECTION, "direction", "",
    "outbound: from a client that may send to anywhere, or from us; else "
    "inbound")
FACT(TLS_VERSION, "tls.version", "", "TLS of the connection; not set: none")
FACT(TLS_CIPHER, "tls.cipher", "", "its cipher")
FACT(TLS_BITS, "tls.bits", "", "bits of its key")
FACT(TLS_RESUMED, "tls.resumed", "", "the session was resumed")
FACT(TLS_CERT, "tls.cert", "",
    "the peer's certificate: none, unverified or verified")
FACT(TLS_CERT_SHA256, "tls.cert.sha256", "", "its fingerprint")
FACT(TLS_CERT_SUBJECT, "tls.cert.subject", "",
    "a client's: whose it is, as \"CN=mx.example,O=Example\"")
FACT(TLS_CERT_ISSUER, "tls.cert.issuer", "", "a client's: who signed it")
FACT(TLS_CERT_NAMES, "tls.cert.names", "",
    "a client's: its alternative names (DNS, addresses), with blanks between")
FACT(TLS_CERT_WHY, "tls.cert.why", "", "why it is not verified")
FACT(MID, "mid", "", "number of the message, or of its branch")
FACT(SENDER, "sender", "", "envelope sender; empty: the null sender")
FACT(SENDER_LOCAL, "sender.local", "", "what stands before its @")
FACT(SENDER_DOMAIN, "sender.domain", "",
    "what stands behind it, as in the DNS: A-labels, lower case")
FACT(SENDER_MAILBOX, "sender.mailbox", "",
    "the sender as addresses are compared: no needless quotes, lower case, "
    "that domain")
FACT(MESSAGE_SIZE, "message.size", "",
    "octets: as declared until data, then as received")
FACT(MESSAGE_RCPTS, "message.rcpts", "", "number of recipients so far")
FACT(MESSAGE_QUEUED, "message.queued", "",
    "seconds since 1970 when it was accepted")
FACT(MESSAGE_SMTPUTF8, "message.smtputf8", "", "SMTPUTF8 was asked for")
FACT(MESSAGE_REQUIRETLS, "message.requiretls", "",
    "REQUIRETLS was asked for (RFC 8689)")
FACT(MESSAGE_8BIT, "message.8bit", "", "BODY=8BITMIME was said")
FACT(MESSAGE_ENVID, "message.envid", "", "ENVID of RFC 3461")
FACT(MESSAGE_GENERATED, "message.generated", "", "a report of ours")
FACT(MESSAGE_QUARANTINE, "message.quarantine", "m",
    "why it is kept and not delivered")
FACT(MESSAGE_HOLD, "message.hold", "m",
    "seconds until the first attempt to deliver it")
FACT(RCPT, "rcpt", "", "address of the recipient")
FACT(RCPT_LOCAL, "rcpt.local", "", "what stands before its @")
FACT(RCPT_DOMAIN, "rcpt.domain", "",
    "what stands behind it, as in the DNS: A-labels, lower case")
FACT(RCPT_MAILBOX, "rcpt.mailbox", "",
    "the recipient as addresses are compared: no needless quotes, lower case, "
    "that domain")
FACT(RCPT_INDEX, "rcpt.index", "", "its RID in the log")
FACT(RCPT_TLS, "rcpt.tls", "m",
    "the TLS it needs, a want; setting combines by maximum; for all "
    "recipients where none is at hand")
FACT(RCPT_ROUTE, "rcpt.route", "m",
    "route block or hosts it goes by; for all recipients where none is at "
    "hand")
FACT(RCPT_PROFILE, "rcpt.bounce_profile", "m",
    "its own bounce_profile, before that of destination, route and listener; "
    "for all recipients where none is at hand")
FACT(RCPT_BRANCH, "rcpt.branch", "m",
    "a word; recipients with another one become another branch")
FACT(RCPT_AFTER, "rcpt.after", "m",
    "WORD SECONDS: it is sent when the recipients of that branch have had "
    "their TLS or were given up, at the latest after so long")
FACT(BRANCH_INDEX, "branch.index", "", "number of the branch, from 0")
FACT(BRANCH_COUNT, "branch.count", "", "how many the message has")
FACT(DCID, "dcid", "", "number of the connection for delivery")
FACT(DELIVER_HOP, "deliver.hop", "", "next hop: domain or route")
FACT(DELIVER_HOST, "deliver.host", "", "host that it is sent to")
FACT(DELIVER_IP, "deliver.ip", "", "its address")
FACT(DELIVER_PORT, "deliver.port", "", "its port")
FACT(DELIVER_ATTEMPT, "deliver.attempt", "", "number of the attempt, from 1")
FACT(DELIVER_TLS, "deliver.tls", "d",
    "the TLS that is wanted; setting combines by maximum")
FACT(DELIVER_ROUTE, "deliver.route", "d", "route block or hosts to go by")
FACT(DELIVER_CODE, "deliver.code", "", "reply code that decided")
FACT(DELIVER_STATUS, "deliver.status", "", "enhanced status code")
FACT(DELIVER_TEXT, "deliver.text", "", "reply or reason")
FACT(DELIVER_REASON, "deliver.reason", "", "the TLS reason, if it was one")

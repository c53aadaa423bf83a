/*
 * The settings of the boot file (postern.lua(5)).
 *
 * PARAM(scope, name, TYPE, default, range, help)
 * Every setting is this line and the code that uses it: from here come the
 * structs of policy/conf.h, the parser, the defaults, `postern check --dump`
 * and the test that each is described in the manual.
 *
 * TYPE: STRING PATH BOOL INT SIZE DURATION CHOICE STRINGS PATHS NETS ADDRS
 * WANT. The default is text as a person writes it; lists are separated by
 * blanks. range is "low..high" for numbers, "a|b|c" for a choice ("a=x": x is
 * another word for a), "required" for what must be given, "commas between" for
 * STRINGS that may have blanks in them on a command line, else "". An empty
 * default of a CHOICE means "not given" (-1).
 *
 * Whoever includes this defines PARAM_<SCOPE>() for the scopes it wants.
 */
#ifndef PARAM_TOP
#define PARAM_TOP(...)
#endif
#ifndef PARAM_LOG
#define PARAM_LOG(...)
#endif
#ifndef PARAM_LISTENER
#define PARAM_LISTENER(...)
#endif
#ifndef PARAM_LIMITS
#define PARAM_LIMITS(...)
#endif
#ifndef PARAM_GROUP
#define PARAM_GROUP(...)
#endif
#ifndef PARAM_RAT
#define PARAM_RAT(...)
#endif
#ifndef PARAM_EXCEPTION
#define PARAM_EXCEPTION(...)
#endif
#ifndef PARAM_FLOW
#define PARAM_FLOW(...)
#endif
#ifndef PARAM_DNS
#define PARAM_DNS(...)
#endif
#ifndef PARAM_RELAY
#define PARAM_RELAY(...)
#endif
#ifndef PARAM_DELIVERY
#define PARAM_DELIVERY(...)
#endif
#ifndef PARAM_TLS
#define PARAM_TLS(...)
#endif
#ifndef PARAM_DESTINATION
#define PARAM_DESTINATION(...)
#endif
#ifndef PARAM_ROUTE
#define PARAM_ROUTE(...)
#endif
#ifndef PARAM_PROFILE
#define PARAM_PROFILE(...)
#endif
#ifndef PARAM_ALERTS
#define PARAM_ALERTS(...)
#endif
#ifndef PARAM_ALERT_RECIPIENT
#define PARAM_ALERT_RECIPIENT(...)
#endif
#ifndef PARAM_QUEUE
#define PARAM_QUEUE(...)
#endif
#ifndef PARAM_POLICY
#define PARAM_POLICY(...)
#endif
#ifndef PARAM_PLUGIN
#define PARAM_PLUGIN(...)
#endif
#ifndef PARAM_ORDER
#define PARAM_ORDER(...)
#endif
#define PARAM(scope, ...) PARAM_##scope(__VA_ARGS__)

/* Top level. */
PARAM(TOP, hostname, STRING, "", "",
    "name of this host in greeting, EHLO, Received and reports")
PARAM(TOP, postmaster, STRING, "", "",
    "sender of reports, and who gets mail for <postmaster> without a "
    "domain; default postmaster@hostname")
PARAM(TOP, spool, PATH, "/var/spool/postern", "",
    "directory of the queue")
PARAM(TOP, config, PATH, "", "",
    "file of the configuration store (postern-config(8)), in a directory that "
    "only we or root can write to; default config/revisions.db below spool")
PARAM(TOP, run, PATH, "/run/postern", "",
    "directory of the control sockets")
PARAM(TOP, user, STRING, "", "",
    "user of the workers when started by root; default postern, else nobody")
PARAM(TOP, workers, INT, "0", "0..64",
    "worker processes; 0: one for each core")
PARAM(TOP, open_files, INT, "65536", "256..1048576",
    "file descriptors of a process")
PARAM(TOP, stop_timeout, DURATION, "30s", "0s..1h",
    "how long a graceful stop waits for transactions")
PARAM(TOP, watchdog, DURATION, "10s", "0s..10m",
    "silence after which a worker is replaced; 0s: never")
PARAM(TOP, tls_selfsigned, BOOL, "true", "",
    "offer STARTTLS with a certificate of our own where none is set")
PARAM(TOP, plugin_dirs, PATHS, "", "",
    "directories of plugins; default where the shipped ones are installed")

/* log { }: with no sink at all, the log goes to standard error. */
PARAM(LOG, file, PATH, "", "", "mail log")
PARAM(LOG, json, PATH, "", "", "the same as JSON lines")
PARAM(LOG, stderr, BOOL, "false", "", "mail log to standard error as well")
PARAM(LOG, syslog, BOOL, "false", "", "mail log to syslog as well")
PARAM(LOG, ident, STRING, "mail_logs", "", "tag of the syslog lines")
PARAM(LOG, level, CHOICE, "info", "critical|warning|info|debug|trace",
    "least important level that is logged")

/* listener "name" { }: takes each setting of limits { } as well. */
PARAM(LISTENER, address, ADDRS, "", "required",
    "addresses and ports to listen on")
PARAM(LISTENER, tls, CHOICE, "preferred", "off=none|preferred|required",
    "whether STARTTLS is offered, or demanded before mail")
PARAM(LISTENER, implicit_tls, BOOL, "false", "",
    "TLS from the first octet (port 465)")
PARAM(LISTENER, cert, PATH, "", "", "certificate chain, PEM")
PARAM(LISTENER, key, PATH, "", "", "private key, PEM; default the file of cert")
PARAM(LISTENER, client_ca, PATH, "", "",
    "roots trusted for client certificates, PEM")
PARAM(LISTENER, certificates, STRINGS, "", "",
    "names of certificates in the store (postern-certconfig(8)) to show in "
    "place of cert and key, the first to clients that ask for no name")
PARAM(LISTENER, client_cert, CHOICE, "", "off|request|require",
    "whether clients are asked for a certificate; with client_ca one that "
    "is shown must hold; default request if client_ca or relay.certificates "
    "is set")
PARAM(LISTENER, tls_min_version, CHOICE, "", "1.0|1.1|1.2|1.3",
    "lowest TLS version, in place of that of tls { }")
PARAM(LISTENER, tls_ciphers, STRING, "", "",
    "cipher list for TLS 1.2 and below, in place of that of tls { }")
PARAM(LISTENER, tls_groups, STRING, "", "",
    "key agreement groups, in place of those of tls { }")
PARAM(LISTENER, tls_senders, STRINGS, "", "",
    "sender addresses, domains or .domains from which mail is taken inside "
    "TLS only")
PARAM(LISTENER, banner_host, STRING, "", "one word", "host in the greeting")
PARAM(LISTENER, banner_text, STRING, "Postern", "one line",
    "text in the greeting")
PARAM(LISTENER, proxy_from, NETS, "", "",
    "clients that must begin with a PROXY header; one that says LOCAL or "
    "UNKNOWN speaks for the proxy itself, which should not be in networks")
PARAM(LISTENER, reverse_dns, CHOICE, "public", "off=none|public|all",
    "clients whose name is looked up")
PARAM(LISTENER, reverse_timeout, DURATION, "2s", "0s..30s",
    "longest wait for that name before the greeting")
PARAM(LISTENER, sender_groups, STRINGS, "", "",
    "sender_group blocks, in order: the first that a client is in says what it "
    "may; who is in none is treated as without such")
PARAM(LISTENER, dnslist_timeout, DURATION, "5s", "100ms..30s",
    "longest wait for DNS lists before the greeting; one that has not answered "
    "by then has failed")
PARAM(LISTENER, lookup_failure, CHOICE, "strict", "strict|ignore",
    "where a name or DNS list that a group asks for cannot be had: strict, "
    "the client may no more than it could in that group, and is put off with "
    "421 if that rejects, or does not relay as the next does; ignore, it is "
    "not in it")
PARAM(LISTENER, bounce_profile, STRING, "", "",
    "name of a bounce_profile, for mail that comes in here where neither a "
    "rule nor its destination or route says one")
PARAM(LISTENER, listen_backlog, INT, "1024", "1..65535",
    "connections the system keeps until we accept them")
PARAM(LISTENER, received_tls, BOOL, "true", "",
    "tell in Received how the connection was encrypted")
PARAM(LISTENER, etrn, BOOL, "true", "", "offer ETRN, to relay clients")
PARAM(LISTENER, dsn, BOOL, "true", "", "offer DSN")
PARAM(LISTENER, chunking, BOOL, "true", "", "offer CHUNKING (BDAT)")
PARAM(LISTENER, smtputf8, BOOL, "true", "", "offer SMTPUTF8")
PARAM(LISTENER, requiretls, BOOL, "true", "",
    "offer REQUIRETLS (RFC 8689) inside TLS")
PARAM(LISTENER, announce_limits, BOOL, "true", "", "offer LIMITS (RFC 9422)")

/* limits { } */
PARAM(LIMITS, message_size, SIZE, "150000000", "1k..4G",
    "octets of a message")
PARAM(LIMITS, header_size, SIZE, "256k", "1k..16M",
    "octets of its header")
PARAM(LIMITS, recipients, INT, "1000", "1..100000",
    "recipients of a message; below 100 in a mail_flow_policy only")
PARAM(LIMITS, messages, INT, "0", "0..1000000",
    "messages of a session; 0: any number")
PARAM(LIMITS, hops, INT, "100", "1..1000",
    "Received fields, above which a message is a loop")
PARAM(LIMITS, errors, INT, "20", "1..10000",
    "mistakes of a session")
PARAM(LIMITS, refused_recipients, INT, "50", "1..100000",
    "refused recipients of a session")
PARAM(LIMITS, idle_commands, INT, "100", "1..100000",
    "commands without a message between them")
PARAM(LIMITS, idle_timeout, DURATION, "5m", "1s..1h",
    "wait for a command")
PARAM(LIMITS, data_timeout, DURATION, "3m", "1s..1h",
    "wait for more of a message")
PARAM(LIMITS, session_timeout, DURATION, "2h", "10s..7d",
    "length of a session")
PARAM(LIMITS, tls_timeout, DURATION, "30s", "1s..10m",
    "length of a TLS handshake")
PARAM(LIMITS, min_rate, SIZE, "100", "0..1M",
    "octets a second that a client must send in a message; 0: any")
PARAM(LIMITS, bare_newlines, CHOICE, "refuse", "refuse|normalize",
    "what becomes of a CR or LF alone in a message")
PARAM(LIMITS, connections, INT, "20000", "1..1000000",
    "connections of all clients of all listeners, over all workers; in a "
    "listener those that it has, within the former")
PARAM(LIMITS, client_connections, INT, "20", "0..100000",
    "connections of one client outside relay.networks; 0: any number")
PARAM(LIMITS, client_rate, INT, "300", "0..1000000",
    "connections a minute of such a client; 0: any number")
PARAM(LIMITS, relay_client_connections, INT, "0", "0..100000",
    "connections of one client of relay.networks; 0: any number")
PARAM(LIMITS, relay_client_rate, INT, "0", "0..1000000",
    "connections a minute of such a client; 0: any number")
PARAM(LIMITS, free_space, SIZE, "16M", "0..1T",
    "room on the spool's disk below which mail is refused for now")
PARAM(LIMITS, backlog, INT, "20000", "0..10000000",
    "due messages of a worker above which acceptance slows; 0: never")

/* sender_group "name" { } */
PARAM(GROUP, senders, STRINGS, "", "",
    "clients: 192.0.2.7, 192.0.2.0/24, 192.0.2.10-20, 192.0.2., host, "
    ".domain, dnslist[zone], dnslist[zone=answer] or ALL; names count if they "
    "lead back to the address")
PARAM(GROUP, policy, STRING, "", "required",
    "the mail_flow_policy of these clients")
PARAM(GROUP, comment, STRING, "", "", "for people")

/* mail_flow_policy "name" { }: takes each setting of limits { } as well. */
PARAM(FLOW, behavior, CHOICE, "accept",
    "accept|relay|reject|tcprefuse|continue",
    "accept: mail to relay.domains; relay: to anywhere; reject: only a reply; "
    "tcprefuse: not even that; continue: as if the group were not there")
PARAM(FLOW, tls, CHOICE, "", "off=none|preferred|required", "as in listener")
PARAM(FLOW, client_cert, CHOICE, "", "off|request|require", "as in listener")
PARAM(FLOW, tls_senders, STRINGS, "", "", "as in listener")
PARAM(FLOW, banner_code, INT, "220", "200..299", "code of the greeting")
PARAM(FLOW, banner_host, STRING, "", "one word", "as in listener")
PARAM(FLOW, banner_text, STRING, "", "one line", "as in listener")
PARAM(FLOW, reject_code, INT, "554", "400..599",
    "code in place of the greeting, with behavior reject")
PARAM(FLOW, reject_text, STRING, "Access denied", "", "its text")
PARAM(FLOW, recipients_per_hour, INT, "0", "0..100000000",
    "recipients of one client, all workers together; 0: any number")
PARAM(FLOW, recipients_code, INT, "452", "400..599", "reply to one more")
PARAM(FLOW, recipients_text, STRING,
    "Too many recipients received this hour", "", "its text")
PARAM(FLOW, auth, CHOICE, "preferred", "off|preferred|required",
    "AUTH, which is offered inside TLS only: not offered, offered, or demanded "
    "before mail")
PARAM(FLOW, sender_dns, BOOL, "false", "",
    "the domain of the envelope sender must have an MX or an address")
PARAM(FLOW, sender_dns_code, INT, "553", "400..599",
    "reply where it has none")
PARAM(FLOW, sender_dns_text, STRING, "Domain of sender address does not exist",
    "", "its text")
PARAM(FLOW, sender_dns_fail_code, INT, "451", "400..499",
    "reply where that cannot be found out now")
PARAM(FLOW, sender_dns_fail_text, STRING,
    "Domain of sender address does not resolve", "", "its text")
PARAM(FLOW, sender_exceptions, BOOL, "false", "",
    "sender_exception blocks are asked first")
PARAM(FLOW, untagged_bounces, CHOICE, "", "accept|refuse", "as in relay")
PARAM(FLOW, comment, STRING, "", "", "for people")

/* recipient_access "recipient" { } */
PARAM(RAT, access, CHOICE, "accept", "accept|reject",
    "whether anybody may send there")
PARAM(RAT, code, INT, "550", "400..599", "reply where it is rejected")
PARAM(RAT, text, STRING, "Recipient rejected", "", "its text")
PARAM(RAT, listeners, STRINGS, "", "",
    "names of listeners that it is for; empty: all")
PARAM(RAT, comment, STRING, "", "", "for people")

/* sender_exception "sender" { } */
PARAM(EXCEPTION, access, CHOICE, "accept", "accept|reject",
    "accept: sender_dns is not asked")
PARAM(EXCEPTION, code, INT, "553", "400..599", "reply where it is rejected")
PARAM(EXCEPTION, text, STRING, "Envelope sender rejected", "", "its text")
PARAM(EXCEPTION, comment, STRING, "", "", "for people")

/* dns { } */
PARAM(DNS, servers, STRINGS, "", "",
    "resolvers, IP or IP@PORT; default those of resolv.conf")
PARAM(DNS, records, PATH, "", "",
    "file of records in zone-file form that are answered locally")
PARAM(DNS, trust_anchor, PATH, "", "",
    "DNSSEC trust anchors, DS or DNSKEY; without, nothing is validated")
PARAM(DNS, timeout, DURATION, "10s", "100ms..5m", "wait for an answer")

/* relay { } */
PARAM(RELAY, networks, NETS, "127.0.0.0/8 ::1", "",
    "clients that may send to anywhere")
PARAM(RELAY, domains, STRINGS, "", "",
    "domains that anybody may send to; .domain means its sub-domains")
PARAM(RELAY, certificates, STRINGS, "", "",
    "SHA-256 fingerprints of client certificates that may send to anywhere")
PARAM(RELAY, untagged_bounces, CHOICE, "accept", "accept|refuse",
    "reports from outside to an address of ours (domains, recipient_access) "
    "that has no tag, where delivery.bounce_keys is set; one whose tag is "
    "wrong is refused anyway")
PARAM(RELAY, users, PATH, "", "",
    "file of user:hash lines; turns AUTH on, inside TLS only")
PARAM(RELAY, user_table, STRING, "", "",
    "plugin instance (lookup/1) that has the hash of a user who is not in "
    "users; turns AUTH on as well")

/* tls { }: both directions. */
PARAM(TLS, keys, CHOICE, "keeper", "keeper|in-process",
    "who holds private keys: a process of its own, or each worker")
PARAM(TLS, store, PATH, "", "",
    "directory of the certificate store; default tls below spool")
PARAM(TLS, directories, PATHS, "", "",
    "directories of certificates as ACME clients leave them; each folder "
    "with fullchain.pem and privkey.pem (or NAME.crt and NAME.key) is a "
    "certificate by the folder's or file's name; short for a plugin "
    "\"cert_file\" block in front of the others")
PARAM(TLS, watch, DURATION, "10s", "0s..1d",
    "how often certificate files are looked at for changes; 0s: never")
PARAM(TLS, min_version, CHOICE, "1.2", "1.0|1.1|1.2|1.3",
    "lowest TLS version; below 1.2 never where TLS is required outwards")
PARAM(TLS, ciphers, STRING, "", "",
    "cipher list for TLS 1.2 and below; default the strong ones")
PARAM(TLS, groups, STRING, "", "",
    "key agreement groups, as X25519MLKEM768:X25519:P-256:P-384")
PARAM(TLS, crls, PATHS, "", "",
    "files of certificate revocation lists, PEM")
PARAM(TLS, verbose, BOOL, "false", "",
    "log each failed handshake at length: phase, certificates, alert, the "
    "library's words")
PARAM(TLS, ticket_key_life, DURATION, "12h", "1m..7d",
    "how long a key for session tickets is used")

/* destination "domain" { } */
PARAM(DESTINATION, tls, WANT, "", "",
    "protection on the way there, as in delivery")
PARAM(DESTINATION, certificate, STRING, "", "",
    "certificate shown there if asked for one, as in delivery")
PARAM(DESTINATION, concurrency, INT, "0", "0..10000",
    "connections at once, all workers together; 0: as in route or delivery")
PARAM(DESTINATION, limit_by, CHOICE, "", "domain|mx",
    "what concurrency counts, as in delivery")
PARAM(DESTINATION, max_messages, INT, "0", "0..1000000",
    "messages on one connection; 0: as in route or delivery")
PARAM(DESTINATION, recipients, INT, "0", "0..100000000",
    "recipients in recipient_minutes, as in delivery; 0: as there")
PARAM(DESTINATION, recipient_minutes, INT, "0", "0..60",
    "as in delivery; 0: as there")
PARAM(DESTINATION, ip, CHOICE, "",
    "prefer-ipv6|prefer-ipv4|require-ipv6|require-ipv4",
    "which addresses of a host are tried, as in delivery")
PARAM(DESTINATION, bounce_profile, STRING, "", "",
    "name of a bounce_profile; default that of the route, else \"default\"")
PARAM(DESTINATION, bounce_verification, CHOICE, "", "off|on",
    "tag senders, as in delivery")
PARAM(DESTINATION, route, STRING, "", "",
    "name of a route block, or hosts as in one with a blank between them, to "
    "go by instead")

/* delivery { } */
PARAM(DELIVERY, port, INT, "25", "1..65535", "port of other hosts")
PARAM(DELIVERY, ip, CHOICE, "prefer-ipv6",
    "prefer-ipv6|prefer-ipv4|require-ipv6|require-ipv4",
    "which addresses of a host are tried")
PARAM(DELIVERY, bind_v4, STRING, "", "", "local IPv4 address")
PARAM(DELIVERY, bind_v6, STRING, "", "", "local IPv6 address")
PARAM(DELIVERY, tls, WANT, "opportunistic", "",
    "protection on the way out: none, opportunistic, preferred, "
    "preferred-verify, required, required-verify, required-verify-hosted or "
    "forced, and attributes behind it as in TLS WANTS")
PARAM(DELIVERY, certificate, STRING, "", "",
    "name of the certificate in the store that is shown to hosts that ask "
    "for one")
PARAM(DELIVERY, ca_file, PATH, "/etc/ssl/certs/ca-certificates.crt", "",
    "roots trusted for other hosts, PEM")
PARAM(DELIVERY, alert_required_tls, BOOL, "false", "",
    "raise alerts (class System, severity Warning) when TLS that is required "
    "for a domain cannot be had: one when that begins, updates, one when it is "
    "over; see postern-displayalerts(8)")
PARAM(DELIVERY, concurrency, INT, "500", "1..10000",
    "connections to one destination, all workers together")
PARAM(DELIVERY, limit_by, CHOICE, "domain", "domain|mx",
    "what concurrency counts: connections to a domain, or to each address of "
    "its hosts, for all domains with such a limit together; hosts of equal "
    "preference are used at once then")
PARAM(DELIVERY, recipients, INT, "0", "0..100000000",
    "recipients of one domain in recipient_minutes, all workers together; "
    "what is more waits, which is no attempt; whatever limit_by says, it is "
    "the domain's; 0: any number")
PARAM(DELIVERY, recipient_minutes, INT, "60", "1..60",
    "minutes of that window, which begins with the first recipient")
PARAM(DELIVERY, bounce_verification, CHOICE, "off", "off|on",
    "tag senders that are ours by relay.domains or recipient_access (prvs=, "
    "BATV), so that reports about mail that was never ours can be told")
PARAM(DELIVERY, bounce_keys, PATH, "", "",
    "file of keys for these tags, a digit, a blank and a secret on each line; "
    "the first signs, all are good for reports that come back")
PARAM(DELIVERY, connections, INT, "2000", "1..100000",
    "connections of one worker to all destinations; where concurrency is as "
    "high, one that is slow may take them all")
PARAM(DELIVERY, max_messages, INT, "50", "1..1000000",
    "messages on one connection")
PARAM(DELIVERY, max_recipients, INT, "100", "1..100000",
    "recipients of one transaction")
PARAM(DELIVERY, idle, DURATION, "5s", "0s..5m",
    "how long an unused connection is kept")
PARAM(DELIVERY, connect_timeout, DURATION, "30s", "1s..10m",
    "wait for a connection")
PARAM(DELIVERY, timeouts, INT, "100", "1..1000",
    "other waits, in percent of what RFC 5321 asks for")
PARAM(DELIVERY, host_backoff, DURATION, "0s", "0s..1d",
    "first pause after a host failed; 0s: first_retry, at most 30s")
PARAM(DELIVERY, host_backoff_max, DURATION, "10m", "100ms..1d",
    "longest such pause")
PARAM(DELIVERY, max_bounce_copy, SIZE, "10k", "0..64k",
    "messages below this size are returned whole in a report, of others the "
    "header, cut there")
PARAM(DELIVERY, broken_tls, DURATION, "10m", "0s..1d",
    "how long a failed handshake is remembered")

/* route "domain" { } */
PARAM(ROUTE, hosts, STRINGS, "", "required",
    "host:port, [address]:port or mx:domain, tried in order")
PARAM(ROUTE, auth_user, STRING, "", "", "user for AUTH, inside TLS only")
PARAM(ROUTE, auth_password_file, PATH, "", "",
    "file whose first line is the password")
PARAM(ROUTE, implicit_tls, BOOL, "false", "", "TLS from the first octet")
PARAM(ROUTE, tls, WANT, "", "", "as in delivery")
PARAM(ROUTE, ip, CHOICE, "",
    "prefer-ipv6|prefer-ipv4|require-ipv6|require-ipv4", "as in delivery")
PARAM(ROUTE, concurrency, INT, "0", "0..10000", "as in delivery")
PARAM(ROUTE, max_messages, INT, "0", "0..1000000", "as in delivery")
PARAM(ROUTE, max_recipients, INT, "0", "0..100000", "as in delivery")
PARAM(ROUTE, bounce_profile, STRING, "", "", "name of a bounce_profile")

/* bounce_profile "name" { } */
PARAM(PROFILE, first_retry, DURATION, "60s", "100ms..1d",
    "pause before the second attempt")
PARAM(PROFILE, max_retry, DURATION, "1h", "100ms..7d", "longest pause")
PARAM(PROFILE, lifetime, DURATION, "72h", "1s..60d",
    "age at which mail goes back")
PARAM(PROFILE, max_retries, INT, "100", "1..10000",
    "attempts after which mail goes back")
PARAM(PROFILE, jitter, INT, "10", "0..50", "percent by which pauses vary")
PARAM(PROFILE, warn, BOOL, "false", "",
    "tell the sender of a delay, when a server put the mail off (4yz) at the "
    "second attempt or later")
PARAM(PROFILE, warn_after, DURATION, "4h", "1s..60d",
    "age from which it is told")
PARAM(PROFILE, warn_count, INT, "1", "1..1000",
    "how often, for each recipient")
PARAM(PROFILE, warn_interval, DURATION, "4h", "1s..60d",
    "least time between two of these warnings")
PARAM(PROFILE, send_bounces, BOOL, "true", "",
    "tell the sender of failures and delays; else mail that fails is gone, "
    "but for the log")
PARAM(PROFILE, format, CHOICE, "dsn", "dsn|plain",
    "of reports: RFC 3464, or one text for people with the message's header")
PARAM(PROFILE, alternate, STRING, "", "",
    "address that is told of failures in place of the sender")

/* alerts { }: with the recipients it stands for plugin "alert_mail" "alerts"
 * { }, whose defaults these are. */
PARAM(ALERTS, from, STRING, "", "", "sender; default alert@HOSTNAME")
PARAM(ALERTS, server, STRING, "", "",
    "HOST or HOST:PORT that takes the mail; default the MX of each recipient's "
    "domain")
PARAM(ALERTS, port, INT, "25", "1..65535", "port of those hosts")
PARAM(ALERTS, initial_wait, DURATION, "5m", "0s..1d",
    "the same alert again is told of after this time at the earliest, then "
    "after twice as long and so on; 0s: each at once")
PARAM(ALERTS, maximum_wait, DURATION, "1h", "0s..7d",
    "longest such wait; 0s: there is none")
PARAM(ALERTS, patience, DURATION, "1m", "1s..10m", "of one attempt to send")

/* alert_recipient "address" { } */
PARAM(ALERT_RECIPIENT, classes, STRINGS, "", "commas between",
    "alerts that it gets, each CLASS/SEVERITY, or CLASS for all severities; "
    "all is any class or severity; empty: all alerts")

/* queue { } */
PARAM(QUEUE, store, STRING, "", "",
    "instance of a plugin that keeps it (store/1); empty: files below spool")
PARAM(QUEUE, body_in_row, SIZE, "16k", "0..16M",
    "larger messages go to segment files")
PARAM(QUEUE, segment_size, SIZE, "64M", "64k..4G",
    "size at which a segment file is full")

/* policy { }: stands for plugin "lua" "policy" { }. */
PARAM(POLICY, file, PATH, "", "", "the policy, postern-policy(7)")
PARAM(POLICY, dir, PATH, "", "",
    "where the modules are that it requires; default where it is itself")
PARAM(POLICY, shadow, PATH, "", "",
    "a second policy that has no effect; what it would have done otherwise is "
    "logged, postern policy shadow shows it")
PARAM(POLICY, on_error, CHOICE, "tempfail", "tempfail|accept|reject",
    "what becomes of a message when the policy fails; never with less TLS")
PARAM(POLICY, timeout, DURATION, "30s", "100ms..1h",
    "longest time for one event, waits included")
PARAM(POLICY, instructions, INT, "1000000", "10000..1000000000",
    "how many an event may execute")
PARAM(POLICY, memory, SIZE, "256M", "4M..4G",
    "of all events of a worker")
PARAM(POLICY, event_memory, SIZE, "8M", "64k..1G",
    "by how much one event may let it grow")
PARAM(POLICY, subject, SIZE, "64k", "1k..16M",
    "the longest text that a pattern is matched against")

/* plugin "name" ["instance"] { }: takes the plugin's own options as well. */
PARAM(PLUGIN, timeout, DURATION, "30s", "100ms..1h",
    "longest time for one of its hooks, waits included")
PARAM(PLUGIN, on_crash, CHOICE, "tempfail", "tempfail|disable|stop",
    "what follows when it brought three workers down within ten minutes: its "
    "hooks fail for now, are left out, or the relay stops")
PARAM(PLUGIN, deepbind, BOOL, "false", "",
    "open it with RTLD_DEEPBIND, for one whose libraries clash with others")

/* plugin_order { }: names of instances, those not named come behind. */
#define PARAM_HOOK(word) PARAM(ORDER, word, STRINGS, "", "",                   \
    "instances at this hook, in order")
PARAM_HOOK(connect)
PARAM_HOOK(helo)
PARAM_HOOK(tls)
PARAM_HOOK(mail)
PARAM_HOOK(rcpt)
PARAM_HOOK(data)
PARAM_HOOK(headers)
PARAM_HOOK(eom)
PARAM_HOOK(branch)
PARAM_HOOK(deliver)
#undef PARAM_HOOK

#undef PARAM
#undef PARAM_TOP
#undef PARAM_LOG
#undef PARAM_POLICY
#undef PARAM_LISTENER
#undef PARAM_LIMITS
#undef PARAM_GROUP
#undef PARAM_RAT
#undef PARAM_EXCEPTION
#undef PARAM_FLOW
#undef PARAM_DNS
#undef PARAM_RELAY
#undef PARAM_DELIVERY
#undef PARAM_TLS
#undef PARAM_DESTINATION
#undef PARAM_ROUTE
#undef PARAM_PROFILE
#undef PARAM_ALERTS
#undef PARAM_ALERT_RECIPIENT
#undef PARAM_QUEUE
#undef PARAM_PLUGIN
#undef PARAM_ORDER

/*
 * Where a delivery may fail, and what is known then, for `postern explain`
 * (relay/outlook). Handshakes and certificates fail for each reason of
 * tbl/reasons.h; they are not listed here.
 *
 * HOSTS_POINT(status of net/mx.h, word, text)
 * POINT(step, word, what happened to the connection, reply code, TLS reason,
 *     flags, text)
 * BEGUN: the peer was ready for the handshake. LOGIN: only where we log in.
 */
#ifndef HOSTS_POINT
#define HOSTS_POINT(status, word, text)
#endif
#ifndef POINT
#define POINT(step, word, fail, code, tls, flags, text)
#endif
HOSTS_POINT(NXDOMAIN, "no-domain", "the domain does not exist")
HOSTS_POINT(NOHOST, "no-host", "the domain has neither MX nor address")
HOSTS_POINT(NULL, "null-mx", "the domain takes no mail (null MX)")
HOSTS_POINT(FAIL, "dns-fails", "the DNS does not answer")
POINT(CONNECT, "unreachable", NETWORK, 0, NONE, 0, "a host is not reachable")
POINT(CONNECT, "connect-timeout", TIMEOUT, 0, NONE, 0,
    "a host does not answer in time")
POINT(BANNER, "greeting-4yz", NONE, 450, NONE, 0, "its greeting is 4yz")
POINT(BANNER, "greeting-5yz", NONE, 554, NONE, 0, "its greeting is 5yz")
POINT(EHLO, "ehlo-4yz", NONE, 450, NONE, 0, "EHLO is answered 4yz")
POINT(EHLO, "no-esmtp", TLS_REFUSED, 500, NO_ESMTP, 0,
    "EHLO is unknown there (no ESMTP)")
POINT(EHLO, "no-starttls", TLS_REFUSED, 0, NO_STARTTLS, 0,
    "STARTTLS is not offered")
POINT(EHLO, "starttls-masked", TLS_REFUSED, 0, BLOCKED, 0,
    "STARTTLS is masked (a middlebox)")
POINT(STARTTLS, "starttls-4yz", TLS_REFUSED, 454, REFUSED, 0,
    "STARTTLS is answered 4yz")
POINT(STARTTLS, "starttls-5yz", TLS_REFUSED, 554, REFUSED, 0,
    "STARTTLS is answered 5yz")
POINT(STARTTLS, "starttls-unknown", TLS_REFUSED, 500, BLOCKED, 0,
    "STARTTLS is offered, then unknown")
POINT(STARTTLS, "starttls-421", TLS_REFUSED, 421, REFUSED, 0,
    "STARTTLS is answered 421")
POINT(STARTTLS, "starttls-cut", LOST, 0, BLOCKED, 0,
    "the connection ends at STARTTLS")
POINT(HANDSHAKE, "handshake-silent", TLS, 0, BLOCKED, BEGUN,
    "silence behind the 220 of STARTTLS")
POINT(AUTH, "login-refused", AUTH, 0, NONE, LOGIN,
    "the login is refused or not possible")
POINT(MAIL, "mail-4yz", NONE, 451, NONE, 0, "MAIL is answered 4yz")
POINT(MAIL, "mail-5yz", NONE, 550, NONE, 0, "MAIL is answered 5yz")
POINT(RCPT, "rcpt-4yz", NONE, 451, NONE, 0, "RCPT is answered 4yz")
POINT(RCPT, "rcpt-5yz", NONE, 550, NONE, 0, "RCPT is answered 5yz")
POINT(RCPT, "lacks", DEMAND, 0, NONE, 0,
    "the host lacks what the message needs (8BITMIME, SMTPUTF8, SIZE)")
POINT(DOT, "message-4yz", NONE, 451, NONE, 0, "the message is answered 4yz")
POINT(DOT, "message-5yz", NONE, 554, NONE, 0, "the message is answered 5yz")
POINT(DOT, "lost", LOST, 0, NONE, 0, "the connection ends in the message")
#undef HOSTS_POINT
#undef POINT

/*
 * Why TLS was not had, or not trusted: the one list that log, reports, alerts,
 * metrics and, later, TLSRPT use.
 *
 * TLS_REASON(id, word, result type, status, text)
 * word is for machines: the log's JSON, `postern tls-test --json`, metric names
 * (tls_out_failed_<word with _>_total). result type is that of RFC 8460 4.3.
 * status is the enhanced code of a deferral for it, 4.7.x. text is for people.
 * TLSR_<id> is its number; TLSR_NONE (0) means that there was no failure.
 */
/* Before a handshake. */
TLS_REASON(NO_ESMTP, "esmtp-not-supported", "starttls-not-supported", "4.7.4",
    "ESMTP not supported")
TLS_REASON(NO_STARTTLS, "starttls-not-supported", "starttls-not-supported",
    "4.7.4", "STARTTLS not offered")
TLS_REASON(REFUSED, "starttls-refused", "starttls-not-supported", "4.7.4",
    "STARTTLS unexpected response")
TLS_REASON(BLOCKED, "starttls-blocked", "starttls-not-supported", "4.7.4",
    "STARTTLS is masked or cut off; a middlebox is suspected")
TLS_REASON(UNAVAILABLE, "tls-unavailable", "validation-failure", "4.7.4",
    "TLS is not available here")
TLS_REASON(INJECTION, "starttls-injection", "validation-failure", "4.7.5",
    "clear text behind STARTTLS")
/* In the handshake. */
TLS_REASON(NO_CIPHER, "no-shared-cipher", "validation-failure", "4.7.5",
    "no shared cipher")
TLS_REASON(VERSION, "version", "validation-failure", "4.7.5",
    "no shared TLS version")
TLS_REASON(TIMEOUT, "timeout", "validation-failure", "4.7.5",
    "handshake timed out")
TLS_REASON(RESET, "reset", "validation-failure", "4.7.5",
    "connection reset or closed in the handshake")
TLS_REASON(ALERT, "alert", "validation-failure", "4.7.5",
    "the peer sent a fatal alert")
TLS_REASON(PROTOCOL, "protocol", "validation-failure", "4.7.5",
    "the peer does not speak TLS properly")
TLS_REASON(KEY_USAGE, "key-usage", "validation-failure", "4.7.5",
    "the certificate's key usage forbids the exchange")
TLS_REASON(CLIENT_CERT, "client-certificate", "validation-failure", "4.7.5",
    "the client certificate was not given or not accepted")
TLS_REASON(NO_REQUIRETLS, "requiretls-not-supported", "validation-failure",
    "4.7.30", "REQUIRETLS not offered")
/* About the certificate. */
TLS_REASON(NO_CERT, "no-certificate", "certificate-not-trusted", "4.7.5",
    "no certificate")
TLS_REASON(EXPIRED, "certificate-expired", "certificate-expired", "4.7.5",
    "certificate has expired")
TLS_REASON(NOT_YET, "certificate-not-yet-valid", "certificate-not-trusted",
    "4.7.5", "certificate is not yet valid")
TLS_REASON(REVOKED, "certificate-revoked", "certificate-not-trusted", "4.7.5",
    "certificate is revoked")
TLS_REASON(CRL_STALE, "crl-expired", "validation-failure", "4.7.5",
    "the revocation list is out of date or not usable")
TLS_REASON(UNTRUSTED, "untrusted", "certificate-not-trusted", "4.7.5",
    "the issuer is not trusted")
TLS_REASON(SELF_SIGNED, "self-signed", "certificate-not-trusted", "4.7.5",
    "certificate is self-signed")
TLS_REASON(INCOMPLETE, "chain-incomplete", "certificate-not-trusted", "4.7.5",
    "an intermediate certificate is missing, or its root is not trusted")
TLS_REASON(PURPOSE, "wrong-purpose", "certificate-not-trusted", "4.7.5",
    "certificate is not for this purpose")
TLS_REASON(SIGNATURE, "bad-signature", "certificate-not-trusted", "4.7.5",
    "a signature of the chain is wrong, or made with SHA-1")
TLS_REASON(NAME, "name-mismatch", "certificate-host-mismatch", "4.7.5",
    "certificate is for another name")
TLS_REASON(PIN, "pin-mismatch", "certificate-not-trusted", "4.7.5",
    "certificate is not the pinned one")
TLS_REASON(INVALID, "certificate-invalid", "certificate-not-trusted", "4.7.5",
    "certificate is malformed or breaks a rule of X.509")
/* Before a connection. */
TLS_REASON(POLICY, "policy", "validation-failure", "4.7.0",
    "the TLS policy is not known")

/*
 * What `postern sink --fault` can do wrong.
 * FAULT(id, word, slot, flags, text)
 * Of one slot one fault acts at a time. ENDS: TLS is never reached behind it.
 * CODE: three digits of a reply follow the word.
 */
FAULT(NOEHLO, "noehlo", ROAD, ENDS, "500 for EHLO; HELO works")
FAULT(NOSTARTTLS, "nostarttls", ROAD, ENDS, "STARTTLS is not offered")
FAULT(XXXX, "xxxx", ROAD, ENDS,
    "STARTTLS is masked with X, as by a middlebox; the command gets a 500")
FAULT(ST, "st", ROAD, ENDS | CODE,
    "CODE for STARTTLS, as in st454 or st501; 421 also closes")
FAULT(ST_DROP, "st-drop", ROAD, ENDS, "closes in place of an answer to it")
FAULT(ST_RESET, "st-reset", ROAD, ENDS, "the same with a reset")
FAULT(GARBAGE, "220-garbage", ROAD, ENDS,
    "220, then text in place of a handshake")
FAULT(CLOSE, "220-close", ROAD, ENDS, "220, then closes on the first octets")
FAULT(RESET, "220-reset", ROAD, ENDS, "the same with a reset")
FAULT(HANG, "220-hang", ROAD, ENDS, "220, then never a word")
FAULT(ALERT, "220-alert", ROAD, ENDS, "220, then a fatal alert")
FAULT(INJECT, "220-inject", ROAD, 0,
    "clear text behind the 220; the handshake would work")
FAULT(BIGHELLO, "220-bighello", ROAD, 0,
    "closes on a first record of more than 1,000 octets")
FAULT(NOSHARED, "220-noshared", VERSION, 0,
    "TLS 1.2 with a suite that nobody else has")
FAULT(OLD, "220-old", VERSION, 0, "TLS 1.0 only")
FAULT(TLS11, "tls11", VERSION, 0, "TLS 1.1 only")
FAULT(TLS12, "tls12", VERSION, 0, "TLS 1.2 only")
FAULT(TLS13, "tls13", VERSION, 0, "TLS 1.3 only")
FAULT(MAIL, "mail-", MAIL, CODE, "CODE for MAIL, as in mail-550")
FAULT(RCPT, "rcpt-", RCPT, CODE, "CODE for each RCPT, as in rcpt-550")

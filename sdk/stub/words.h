/*
 * The statements of a posternstub script.
 *
 * WORD(id, word, min, max, step, usage)
 * min and max count the words behind it; step: it asks a plugin, so that
 * "-> VERDICT" may stand at its end.
 */
WORD(PLUGIN, "plugin", 1, 200, 0,
    "plugin FILE [as=INSTANCE] [OPTION=VALUE ...]")
WORD(DNS, "dns", 3, 66, 0,
    "dns NAME TYPE ANSWER ... [secure] | nxdomain | nodata | servfail | "
    "timeout")
WORD(HTTP, "http", 4, 5, 0, "http METHOD URL = STATUS [BODY] | fail | timeout")
WORD(LOOKUP, "lookup", 4, 66, 0,
    "lookup TABLE KEY = VALUE ... | none | fail | timeout")
WORD(FILE, "file", 3, 3, 0, "file PATH = TEXT | folder | socket | none")
WORD(SMTP, "smtp", 2, 20, 0, "smtp %:PORT FILE [VERB=REPLY ...]")
WORD(FACT, "fact", 3, 3, 0, "fact NAME = VALUE")
WORD(SESSION, "session", 1, 12, 1,
    "session IP [port N] [name PTR] [helo NAME] [auth USER] [listener NAME] "
    "[tls VERSION CIPHER]")
WORD(HELO, "helo", 1, 1, 1, "helo NAME")
WORD(TLS, "tls", 2, 2, 1, "tls VERSION CIPHER")
WORD(MAIL, "mail", 1, 8, 1, "mail FROM [KEY=VALUE ...]")
WORD(RCPT, "rcpt", 1, 1, 1, "rcpt TO")
WORD(HEADER, "header", 0, 0, 0, "header NAME: VALUE")
WORD(BODY, "body", 1, 1, 0, "body TEXT | @FILE")
WORD(DATA, "data", 0, 0, 1, "data")
WORD(HEADERS, "headers", 0, 0, 1, "headers")
WORD(EOM, "eom", 0, 0, 1, "eom")
WORD(BRANCH, "branch", 0, 0, 1, "branch")
WORD(DELIVER, "deliver", 0, 8, 1, "deliver [KEY=VALUE ...]")
WORD(QUEUED, "queued", 0, 8, 1, "queued [KEY=VALUE ...]")
WORD(DELIVERED, "delivered", 0, 8, 1, "delivered [KEY=VALUE ...]")
WORD(DEFERRED, "deferred", 0, 8, 1, "deferred [KEY=VALUE ...]")
WORD(BOUNCED, "bounced", 0, 8, 1, "bounced [KEY=VALUE ...]")
WORD(DISCONNECT, "disconnect", 0, 0, 0, "disconnect")
WORD(OP, "op", 1, 80, 1,
    "op INTERFACE/VERSION.NAME [@INSTANCE] [KEY=VALUE ...]")
WORD(CONNECT, "connect", 2, 2, 0, "connect %:PORT TEXT")
WORD(TIME, "time", 1, 1, 0, "time +DURATION")
WORD(EXPECT, "expect", 1, 12, 0,
    "expect [no] WHAT [NAME] [= VALUE | ~ /REGEX/ | none] [for RCPT]")
WORD(CHAOS, "chaos", 0, 1, 1, "chaos [STEP] [-> never VERDICT]")

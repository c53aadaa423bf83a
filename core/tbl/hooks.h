/*
 * Where plugins and rules are asked (sdk/postern/plugin.h, PST_ON_…).
 *
 * HOOK(id, word, verdicts, help)
 * verdicts are letters: A accept, R reject, T tempfail, D discard,
 * Q quarantine, X disconnect; every hook may continue, and all but STOP wait.
 * Another verdict is the plugin's fault and counts as a temporary failure; of
 * the hooks without letters it is ignored.
 */
HOOK(CONNECT, "connect", "ARTX", "a client has connected")
HOOK(HELO, "helo", "ARTX", "HELO or EHLO")
HOOK(TLS, "tls", "ARTX", "a handshake with the client succeeded")
HOOK(MAIL, "mail", "ARTDX", "MAIL FROM")
HOOK(RCPT, "rcpt", "ARTDX", "RCPT TO")
HOOK(DATA, "data", "ARTDX", "DATA or the first BDAT")
HOOK(HEADERS, "headers", "ARTDQ", "the header is complete")
HOOK(EOM, "eom", "ARTDQ", "the message is complete")
HOOK(BRANCH, "branch", "ARTQ", "a branch is about to be queued")
HOOK(DELIVER, "deliver", "ART", "a message is about to be sent")
HOOK(DISCONNECT, "disconnect", "", "the client has gone")
HOOK(QUEUED, "queued", "", "a message is in the queue")
HOOK(DELIVERED, "delivered", "", "a next hop took it")
HOOK(DEFERRED, "deferred", "", "it will be tried again")
HOOK(BOUNCED, "bounced", "", "it was given up")

"""The outcome of every failure of TLS on the way out (requirements 3.1).

Each cell is an event at the next hop and a level: a domain, a `destination`
block with the level, a route to an address of one `postern sink`.
"""

import collections

LEVELS = ["none", "opportunistic", "preferred", "preferred-verify",
          "required", "required-verify", "required-verify-hosted", "forced"]
REQUIRED = LEVELS[4:]
VERIFIED = LEVELS[5:]

# Clear on the same connection, clear on a new one, encrypted, nothing sent,
# refused by the host and sent back.
CLEAR, CLEAR2, TLS, NOTHING, BOUNCE = "C", "C2", "E", "X", "bounce"

Cell = collections.namedtuple("Cell", "event level outcome word domain")

# What the sink does wrong, and the word of the failure, exactly.
BEFORE = {
    "noehlo": "esmtp-not-supported",
    "nostarttls": "starttls-not-supported",
    "xxxx": "starttls-blocked",
    "st454": "starttls-refused",
    "st501": "starttls-refused",
    "st554": "starttls-refused",
}
LOST = {
    "st-drop": "starttls-blocked",
    "st-reset": "starttls-blocked",
}
HANDSHAKE = {
    "220-garbage": "protocol",
    "220-close": "reset",
    "220-reset": "reset",
    "220-hang": "starttls-blocked",
    "220-alert": "alert",
    "220-noshared": "no-shared-cipher",
    "220-old": "version",
}
# Somebody speaks in between: no clear text, whatever the level but none.
INJECTED = {
    "220-inject": "starttls-injection",
}
UNVERIFIED = {
    "self": "self-signed",
    "expired": "certificate-expired",
    "oldchain": "certificate-expired",
    "notyet": "certificate-not-yet-valid",
    "revoked": "certificate-revoked",
    "nochain": "chain-incomplete",
    "untrusted": "chain-incomplete",
    "client-only": "wrong-purpose",
    "wrongname": "name-mismatch",
}
REASONS = dict(BEFORE, **LOST, **HANDSHAKE, **INJECTED, **UNVERIFIED,
               **{"cn-only": "name-mismatch"})
GOOD = ["good", "wild", "san-only", "dupchain", "misordered"]
REFUSED = ["mail-550", "rcpt-550"]


def words(event):
    """What the sink's address is told."""
    kinds = list(UNVERIFIED) + GOOD + ["cn-only"]
    return "cert=" + event if event in kinds else event


def outcome(event, level):
    if event in REFUSED:
        return BOUNCE
    if level == "none":
        return CLEAR
    if event in BEFORE:
        return NOTHING if level in REQUIRED else CLEAR
    if event in LOST:
        return NOTHING if level in REQUIRED else CLEAR2
    if event in HANDSHAKE:
        return CLEAR2 if level == "opportunistic" else NOTHING
    if event in INJECTED:
        return NOTHING
    if event in UNVERIFIED:
        return NOTHING if level in VERIFIED else TLS
    if event == "cn-only" and level in ("required-verify", "forced"):
        return NOTHING
    return TLS


def reason(event):
    return REASONS.get(event, "")


def cells():
    for event in list(REASONS) + GOOD + REFUSED:
        for level in LEVELS:
            yield Cell(event, level, outcome(event, level), reason(event),
                       "%s.%s.test" % (level, event))

/*
 * Kinds of certificates that the throw-away authority makes (tls/certlab.h):
 * good ones, and bad ones with one fault each.
 * CERT_KIND(id, word, text)
 */
CERT_KIND(GOOD, "good", "root, intermediate, and the names asked for")
CERT_KIND(WILD, "wild", "good; a wildcard for the first label of each name")
CERT_KIND(SAN_ONLY, "san-only", "good; no CN in its subject")
CERT_KIND(CN_ONLY, "cn-only", "no subjectAltName; the first name is its CN")
CERT_KIND(DUPCHAIN, "dupchain", "good; the whole chain is sent twice")
CERT_KIND(MISORDERED, "misordered", "good; the root sent before the "
				    "intermediate")
CERT_KIND(NOCHAIN, "nochain", "good; the intermediate is not sent")
CERT_KIND(SELF, "self", "signed by itself")
CERT_KIND(UNTRUSTED, "untrusted", "of a root that nobody knows")
CERT_KIND(EXPIRED, "expired", "ended yesterday")
CERT_KIND(NOTYET, "notyet", "begins tomorrow")
CERT_KIND(OLDCHAIN, "oldchain", "its intermediate ended yesterday")
CERT_KIND(REVOKED, "revoked", "good, but in the revocation list")
CERT_KIND(WRONGNAME, "wrongname", "good for wrong.invalid only")
CERT_KIND(CLIENT_ONLY, "client-only", "good for TLS clients only")

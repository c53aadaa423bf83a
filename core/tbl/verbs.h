/*
 * Verbs of the SMTP server (RFC 5321, 1985, 3030, 3207, 4954).
 *
 * VERB(id, text, states it is legal in, flags, hook run before it acts)
 * The id names its functions: smtpd_<id>_check() and smtpd_<id>_act().
 */
#ifdef VERB
VERB(ehlo, "EHLO", AT_ANY, VF_CLEAR, HOOK_HELO)
VERB(helo, "HELO", AT_ANY, 0, HOOK_HELO)
VERB(starttls, "STARTTLS", AT_START | AT_READY | AT_MAIL | AT_RCPT, VF_CLEAR,
    HOOK_NONE)
VERB(auth, "AUTH", AT_READY, 0, HOOK_NONE)
VERB(mail, "MAIL", AT_READY, 0, HOOK_MAIL)
VERB(rcpt, "RCPT", AT_MAIL | AT_RCPT, 0, HOOK_RCPT)
VERB(data, "DATA", AT_MAIL | AT_RCPT, VF_NO_ARG, HOOK_DATA)
VERB(bdat, "BDAT", AT_MAIL | AT_RCPT | AT_BDAT, VF_CHUNK, HOOK_BDAT)
VERB(rset, "RSET", AT_ANY, VF_NO_ARG, HOOK_NONE)
VERB(noop, "NOOP", AT_ANY | AT_REFUSED, VF_CLEAR, HOOK_NONE)
VERB(vrfy, "VRFY", AT_ANY, 0, HOOK_NONE)
VERB(help, "HELP", AT_ANY, 0, HOOK_NONE)
VERB(etrn, "ETRN", AT_READY, 0, HOOK_ETRN)
VERB(quit, "QUIT", AT_ANY | AT_REFUSED, VF_CLEAR | VF_NO_ARG, HOOK_NONE)
#endif

/*
 * NOVERB(text, reply code): verbs that are known and not for us. 421 is for
 * web clients that somebody's page has sent here: they are cut off before
 * their body can be taken for commands.
 */
#ifdef NOVERB
NOVERB("EXPN", 502)
NOVERB("SEND", 502)
NOVERB("SOML", 502)
NOVERB("SAML", 502)
NOVERB("TURN", 502)
NOVERB("ATRN", 502)
NOVERB("BURL", 502)
NOVERB("GET", 421)
NOVERB("POST", 421)
NOVERB("PUT", 421)
NOVERB("CONNECT", 421)
#endif

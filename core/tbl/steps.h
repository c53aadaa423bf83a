/*
 * Steps of the SMTP client.
 * STEP(id, seconds to wait (RFC 5321 4.5.3.2), phrase for errors)
 */
STEP(CONNECT, 30, "while connecting")
STEP(BANNER, 300, "while waiting for the greeting")
STEP(EHLO, 300, "while sending EHLO")
STEP(HELO, 300, "while sending HELO")
STEP(STARTTLS, 120, "while sending STARTTLS")
STEP(HANDSHAKE, 120, "during the TLS handshake")
STEP(AUTH, 120, "while sending AUTH")
STEP(READY, 0, "between messages")
STEP(MAIL, 300, "while sending MAIL FROM")
STEP(RCPT, 300, "while sending RCPT TO")
STEP(DATA, 120, "while sending DATA")
STEP(CONTENT, 180, "while sending the message")
STEP(DOT, 600, "while sending end of data")
STEP(RSET, 60, "while sending RSET")
STEP(QUIT, 10, "while sending QUIT")

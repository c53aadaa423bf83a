"""A raw SMTP client: the test says which bytes go out, in which cuts."""

import re
import socket
import ssl
import time

from . import base


class Client:
    def __init__(self, host, port, banner=True, source=None, before=b""):
        self.sock = socket.create_connection(
            (host, port), base.PATIENCE,
            source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(base.PATIENCE)
        self.pending = b""
        self.received = b""
        if before:
            self.send(before)
        if banner:
            self.banner = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data, cuts=None, pause=0.0):
        """Send all, or piece by piece where cuts lists the offsets."""
        begin = 0
        for end in list(cuts or []) + [len(data)]:
            self.sock.sendall(data[begin:end])
            if pause:
                time.sleep(pause)
            begin = end

    def reply(self):
        """One whole reply, as its text lines joined by \\n."""
        lines = []
        while True:
            line = self._line()
            lines.append(line)
            if not re.match(r"\d{3}-", line):
                return "\n".join(lines)

    def _line(self):
        while b"\r\n" not in self.pending:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError("closed after %r" % self.received[-200:])
            self.pending += data
            self.received += data
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line.decode("utf-8", "surrogateescape")

    def cmd(self, line):
        """Send one command and return its reply."""
        data = line if isinstance(line, bytes) else line.encode()
        self.send(data + b"\r\n")
        return self.reply()

    def expect(self, line, code):
        answer = self.cmd(line)
        assert answer.startswith(str(code)), "%s -> %s" % (line, answer)
        return answer

    def ehlo(self, name="client.test"):
        """The keywords offered, without the greeting."""
        answer = self.expect("EHLO " + name, 250)
        return [line[4:] for line in answer.split("\n")[1:]]

    def start(self, name="client.test"):
        self.ehlo(name)
        return self

    def mail(self, sender, *recipients, params=""):
        self.expect("MAIL FROM:<%s>%s" % (sender, params), 250)
        for recipient in recipients:
            self.expect("RCPT TO:<%s>" % recipient, 250)

    def data(self, message, cuts=None):
        """Send a message, dots doubled; the reply to its end."""
        self.expect("DATA", 354)
        self.send(stuff(message) + b".\r\n", cuts)
        return self.reply()

    def deliver(self, sender, recipients, message):
        self.mail(sender, *recipients)
        answer = self.data(message)
        assert answer.startswith("250"), answer
        return answer

    def starttls(self):
        self.expect("STARTTLS", 220)
        self.handshake()

    def handshake(self, context=None):
        assert self.pending == b"", "bytes before the handshake"
        self.sock = (context or anyone()).wrap_socket(self.sock)

    def quit(self):
        answer = self.cmd("QUIT")
        assert answer.startswith("221"), answer
        self.wait_closed()

    def wait_closed(self):
        """Read to the end; returns what still came."""
        rest = self.pending
        self.pending = b""
        while True:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                self.close()
                return rest
            rest += data
            self.received += data

    def silent(self, seconds):
        """True if nothing comes for so long."""
        if self.pending:
            return False
        self.sock.settimeout(seconds)
        try:
            self.pending += self.sock.recv(65536)
            return False
        except socket.timeout:
            return True
        finally:
            self.sock.settimeout(base.PATIENCE)


def anyone():
    """TLS with a server whose certificate does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def stuff(message):
    """The message as DATA carries it, its last line ended."""
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..")


def message(subject="test", body="body\r\n", ident=None, extra=""):
    """A small whole message."""
    name = ident or "%s@client.test" % re.sub(r"\W", "-", subject)
    return ("From: <a@client.test>\r\nTo: <b@next.test>\r\n"
            "Message-ID: <%s>\r\nSubject: %s\r\n%s\r\n%s" % (
                name, subject, extra, body)).encode()

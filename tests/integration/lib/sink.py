"""A scriptable next hop that records exactly what came, and can misbehave.

    with Sink() as sink:
        sink.fault("rcpt", "450 4.2.0 later", when="bob", times=1)

A fault stands at a stage: banner, ehlo, helo, starttls, handshake, auth,
mail, rcpt, data, dot, bdat, rset, noop, quit. It is a reply ("451 text", or a
list of lines), or one of the actions below.
"""

import base64
import hashlib
import re
import socket
import ssl
import struct
import threading
import time

from . import base

DEFAULT_EHLO = ("PIPELINING", "SIZE 200000000", "8BITMIME", "DSN",
                "ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING")


class Drop:
    """Close the connection, with a reset if asked, after some bytes."""

    def __init__(self, reset=False, after=b""):
        self.reset = reset
        self.after = after

    def act(self, session):
        if self.after:
            session.write(self.after)
        if self.reset:
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    struct.pack("ii", 1, 0))
            session.sock.close()        # with no FIN before it
        raise EOFError


class Raw:
    """Send these bytes as they are, as the whole answer."""

    def __init__(self, data):
        self.data = data

    def act(self, session):
        session.write(self.data)


class Slow:
    """Wait before the reply, or between its bytes (a tarpit)."""

    def __init__(self, reply, before=0.0, between=0.0):
        self.reply = reply
        self.before = before
        self.between = between

    def act(self, session):
        session.pause(self.before)
        for byte in _wire(self.reply):
            session.write(bytes([byte]))
            session.pause(self.between)
        return _wire(self.reply)[:3].decode()


class Fault:
    def __init__(self, stage, what, when, times):
        self.stage = stage
        self.what = what
        self.when = when
        self.left = times


class Message:
    """One transaction that was answered 250 at its end."""

    def __init__(self, session, data, raw):
        self.sender = session.sender
        self.sender_params = session.sender_params
        self.recipients = [address for address, _ in session.recipients]
        self.recipient_params = [params for _, params in session.recipients]
        self.data = data        # dots undoubled
        self.raw = raw          # as it came, with the final dot
        self.tls = session.tls
        self.auth = session.auth
        self.connection = session.number
        self.helo = session.helo
        self.time = time.monotonic()

    def header(self, name):
        head = self.data.split(b"\r\n\r\n", 1)[0] + b"\r\n"
        found = re.search(rb"(?im)^%s:[ \t]*(.*(?:\r\n[ \t].*)*)\r\n"
                          % name.encode(), head)
        return found.group(1).decode("utf-8", "replace") if found else None

    def body(self):
        return self.data.split(b"\r\n\r\n", 1)[1]

    def digest(self):
        return hashlib.sha256(self.body()).hexdigest()


class Sink:
    def __init__(self, host="127.0.0.1", port=None, ehlo=DEFAULT_EHLO,
                 tls=None, auth=None, keep_data=True):
        self.port = port or base.free_port()
        self.host = host
        self.ehlo = list(ehlo)
        self.tls = tls                  # a certs.Pair
        self.auth = auth                # (user, password)
        self.keep_data = keep_data      # else only digests are kept
        self.lock = threading.Lock()
        self.faults = []
        self.messages = []
        self.commands = []              # (connection number, line)
        self.sessions = []
        self.open_now = 0
        self.open_peak = 0
        self.on_message = None
        self.listening = None
        self.stopped = False
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        self.stopped = False
        self.listening = socket.socket(
            socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind((self.host, self.port))
        self.listening.listen(1024)
        threading.Thread(target=self._accept, args=(self.listening,),
                         daemon=True).start()

    def _accept(self, listening):
        while True:
            try:
                sock, peer = listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                session = Session(self, sock, peer, len(self.sessions))
                self.sessions.append(session)
                self.open_now += 1
                self.open_peak = max(self.open_peak, self.open_now)
            threading.Thread(target=session.run, daemon=True).start()

    def stop_listening(self):
        """New connections are refused from now on."""
        self.stopped = True
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def close(self):
        if not self.stopped:
            self.stop_listening()
        with self.lock:
            for session in self.sessions:
                session.abort()

    def fault(self, stage, what, when="", times=None):
        """Answer so at this stage, where the line matches when."""
        with self.lock:
            self.faults.append(Fault(stage, what, when, times))

    def clear_faults(self):
        with self.lock:
            self.faults = []

    def take_fault(self, stage, line):
        with self.lock:
            for fault in self.faults:
                if fault.stage == stage and fault.left != 0 and \
                        re.search(fault.when, line, re.I):
                    if fault.left is not None:
                        fault.left -= 1
                    return fault.what
        return None

    def wait(self, count=1, timeout=None):
        """Wait for so many messages; returns all there are."""
        base.wait_for(lambda: len(self.messages) >= count, lambda: (
            "%d messages at the sink, which has %d; it heard %r" % (
                count, len(self.messages), self.commands[-20:])), timeout)
        return list(self.messages)

    def wait_command(self, pattern, count=1, timeout=None):
        def heard():
            found = [line for _, line in list(self.commands)
                     if re.search(pattern, line, re.I)]
            return found if len(found) >= count else None
        return base.wait_for(heard, "%d of %r at the sink" % (
            count, pattern), timeout)

    def recipients(self):
        return sorted(address for message in list(self.messages)
                      for address in message.recipients)


class Session:
    """One connection. Its thread ends with EOFError or a socket error."""

    def __init__(self, sink, sock, peer, number):
        self.sink = sink
        self.sock = sock
        self.peer = peer
        self.number = number
        self.pending = bytearray()
        self.received = bytearray()
        self.tls = None
        self.auth = None
        self.helo = None
        self.closed = threading.Event()
        self.left = False
        self.reset()

    def reset(self):
        self.sender = None
        self.sender_params = ""
        self.recipients = []
        self.chunks = b""

    def run(self):
        try:
            self.sock.settimeout(10 * base.PATIENCE)
            self.answer("banner", "", "220 sink.test ESMTP")
            while True:
                self.command(self.line())
        except (EOFError, OSError):
            pass
        finally:
            self.leave()
            self.abort()
            self.sock.close()

    def leave(self):
        """Not open any more, before the peer can know: it may have the next
        connection at once."""
        with self.sink.lock:
            self.sink.open_now -= 0 if self.left else 1
            self.left = True

    def abort(self):
        self.closed.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def pause(self, seconds):
        if seconds and self.closed.wait(seconds):
            raise EOFError

    def write(self, data):
        self.sock.sendall(data)

    def fill(self):
        data = self.sock.recv(262144)
        if not data:
            raise EOFError
        self.pending += data
        if self.sink.keep_data:
            self.received += data

    def line(self):
        while b"\r\n" not in self.pending:
            self.fill()
        line = self.take(self.pending.index(b"\r\n") + 2)
        return line[:-2].decode("utf-8", "surrogateescape")

    def take(self, size):
        """Remove and return the first bytes that are pending."""
        data = bytes(self.pending[:size])
        del self.pending[:size]
        return data

    def answer(self, stage, line, usual):
        """Send the usual reply or the fault; returns what was sent."""
        what = self.sink.take_fault(stage, line)
        if what is None:
            what = usual
        if isinstance(what, (str, list)):
            self.write(_wire(what))
            return _wire(what)[:3].decode()
        if callable(what):
            return what(self, line)
        return what.act(self) or "000"

    def command(self, line):
        with self.sink.lock:
            self.sink.commands.append((self.number, line))
        verb = line.split(" ")[0].split(":")[0].upper()
        handler = getattr(self, "do_" + verb.lower(), None)
        if handler is None:
            self.write(b"500 5.5.1 what?\r\n")
        else:
            handler(line)

    def do_ehlo(self, line):
        self.helo = line[5:]
        words = [word for word in self.sink.ehlo]
        if self.sink.tls and self.tls is None:
            words.append("STARTTLS")
        if self.sink.auth and self.tls is not None:
            words.append("AUTH PLAIN LOGIN")
        self.reset()
        self.answer("ehlo", line, ["250-sink.test"] + [
            "250-" + word for word in words[:-1]] + ["250 " + words[-1]]
            if words else "250 sink.test")

    def do_helo(self, line):
        self.helo = line[5:]
        self.reset()
        self.answer("helo", line, "250 sink.test")

    def do_starttls(self, line):
        if self.answer("starttls", line, "220 2.0.0 go") != "220":
            return
        if self.sink.take_fault("handshake", line) is not None:
            raise EOFError
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.sink.tls.cert, self.sink.tls.key)
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.tls = self.sock.version()
        self.pending.clear()
        self.helo = None
        self.reset()

    def do_auth(self, line):
        words = line.split(" ")
        if words[1].upper() == "PLAIN":
            given = words[2] if len(words) > 2 else self.ask("334 ")
            user, password = _decode(given).split("\0")[1:]
        else:
            user = _decode(words[2] if len(words) > 2
                           else self.ask("334 VXNlcm5hbWU6"))
            password = _decode(self.ask("334 UGFzc3dvcmQ6"))
        good = (user, password) == self.sink.auth
        if self.answer("auth", line, "235 2.7.0 welcome" if good else
                       "535 5.7.8 wrong") == "235":
            self.auth = user

    def ask(self, challenge):
        self.write(challenge.encode() + b"\r\n")
        return self.line()

    def do_mail(self, line):
        self.reset()
        if self.answer("mail", line, "250 2.1.0 ok") == "250":
            self.sender, self.sender_params = _path(line)

    def do_rcpt(self, line):
        if self.sender is None:         # pipelined behind a refused MAIL
            self.write(b"503 5.5.1 no sender\r\n")
        elif self.answer("rcpt", line, "250 2.1.5 ok") == "250":
            self.recipients.append(_path(line))

    def do_data(self, line):
        if not self.recipients:
            self.write(b"554 5.5.1 no recipients\r\n")
            return
        if self.answer("data", line, "354 go") != "354":
            return
        raw = self.take(self.end_of_content())
        data = (b"\r\n" + raw[:-3]).replace(b"\r\n..", b"\r\n.")[2:]
        self.end_of_data(data, raw)

    def end_of_content(self):
        """Read until the final dot has come; where it ends."""
        searched = 0
        while not self.pending.startswith(b".\r\n"):
            found = self.pending.find(b"\r\n.\r\n", searched)
            if found >= 0:
                return found + 5
            searched = max(0, len(self.pending) - 4)
            self.fill()
        return 3

    def do_bdat(self, line):
        words = line.split(" ")
        size = int(words[1])
        while len(self.pending) < size:
            self.fill()
        self.chunks += self.take(size)
        if len(words) > 2 and words[2].upper() == "LAST":
            self.end_of_data(self.chunks, b"")
        else:
            self.answer("bdat", line, "250 2.0.0 chunk")

    def end_of_data(self, data, raw):
        """Record before answering: what was answered is always recorded."""
        what = self.sink.take_fault("dot", self.sender or "")
        if what is None:
            message = Message(self, data, raw)
            if self.sink.on_message is not None:
                self.sink.on_message(message)
            if not self.sink.keep_data:
                message.data = message.raw = b""
            with self.sink.lock:
                self.sink.messages.append(message)
                number = len(self.sink.messages)
            self.write(b"250 2.0.0 taken as %d\r\n" % number)
        elif isinstance(what, (str, list)):
            self.write(_wire(what))
        else:
            what.act(self)
        self.reset()

    def do_rset(self, line):
        self.reset()
        self.answer("rset", line, "250 2.0.0 ok")

    def do_noop(self, line):
        self.answer("noop", line, "250 2.0.0 ok")

    def do_quit(self, line):
        self.leave()
        self.answer("quit", line, "221 2.0.0 bye")
        raise EOFError


def _wire(reply):
    lines = [reply] if isinstance(reply, str) else reply
    return "".join(line + "\r\n" for line in lines).encode()


def _path(line):
    """The address and the parameters of MAIL FROM or RCPT TO."""
    found = re.match(r'(?i)(?:MAIL FROM|RCPT TO):\s*<((?:"(?:\\.|[^"\\])*"|'
                     r'[^">])*)>\s*(.*)$', line)
    if found is None:
        return None, line
    return found.group(1), found.group(2)


def _decode(text):
    return base64.b64decode(text).decode()

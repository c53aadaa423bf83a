"""A router that reads and changes what passes (requirements.md S4-1).

    middle = Middle(("127.0.0.1", sink.port), how="strip")

It stands between the relay and a good sink. Of each connection it records
what it could read: Link.clear, and the octets of TLS that it could not:
Link.sealed. Where it ends TLS itself, with a certificate of its own, what it
then reads inside is in Link.opened.
"""

import re
import socket
import ssl
import struct
import threading

from . import base


class Middle:
    """how: what it does, one of those below, of any connection.

    pass       nothing but look
    strip      STARTTLS is taken out of the answer to EHLO
    mask       ... and XXXXXXXA put in its place
    refuse     STARTTLS gets a 554 from the middle, which the sink never sees
    defer      ... a 454
    swap       TLS ends in the middle, with its own certificate
    inject     an answer in clear is put behind the sink's 220
    answer     the middle says 220 and then answers in clear
    cut:N      reset after N octets of the handshake from the sink
    hold:N     nothing more passes after them, but the connection stays
    flip:N     one bit of the octet N of the handshake from the sink
    drop       reset when STARTTLS comes by
    """

    def __init__(self, target, how="pass", pair=None, host="127.0.0.1"):
        self.target, self.how, self.pair = target, how, pair
        self.port = base.free_port()
        self.links = []
        self.lock = threading.Lock()
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind((host, self.port))
        self.listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            with self.lock:
                self.links.append(Link(self, sock))
            self.links[-1].start()

    def read_clear(self):
        """All that it could read from the relay, on any connection."""
        return b"".join(bytes(link.clear) + bytes(link.opened)
                        for link in list(self.links))

    def commands(self):
        return [line.split(b" ")[0].split(b":")[0].upper().decode("latin-1")
                for link in list(self.links)
                for line in bytes(link.clear).split(b"\r\n") if line]

    def wait_links(self, count):
        return base.wait_for(
            lambda: len([each for each in self.links if each.over]) >= count
            and list(self.links), "%d connections in the middle" % count)

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for link in list(self.links):
            link.end()


class Link(threading.Thread):
    """One connection, and that to the sink behind it."""

    def __init__(self, middle, sock):
        super().__init__(daemon=True)
        self.middle = middle
        self.how, _, number = middle.how.partition(":")
        self.number = int(number or 0)
        self.near = sock
        self.far = socket.create_connection(middle.target, base.PATIENCE)
        self.clear, self.sealed, self.opened = (
            bytearray(), bytearray(), bytearray())
        self.over = False
        self.how_near = socket.SHUT_RDWR

    def run(self):
        try:
            self._talk()
        except (OSError, EOFError):
            pass
        finally:
            self.end()
            self.near.close()
            self.far.close()
            self.over = True

    def end(self):
        _shut(self.far, socket.SHUT_RDWR)
        _shut(self.near, self.how_near)

    def reset(self):
        """A reset goes out when the socket is closed, and the thread that
        does so may have to be woken."""
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.how_near = socket.SHUT_RD
        raise EOFError

    # In clear, reply by reply

    def _talk(self):
        self.near.sendall(self._reply())
        while True:
            line = self._line()
            if re.match(rb"(?i)STARTTLS\r\n", line):
                if self._starttls(line):
                    return
                continue
            self.far.sendall(line)
            answer = self._reply()
            if re.match(rb"(?i)EHLO ", line):
                answer = self._changed(answer)
            self.near.sendall(answer)
            if answer.startswith(b"354") or \
                    not re.match(rb"(?i)[A-Z]+", line):
                self._splice(self.clear)
                return

    def _changed(self, answer):
        if self.how == "mask":
            return answer.replace(b"STARTTLS", b"XXXXXXXA")
        if self.how != "strip":
            return answer
        lines = [line[4:] for line in answer.split(b"\r\n")[:-1]
                 if line[4:] != b"STARTTLS"]
        return b"".join(b"250-" + line + b"\r\n" for line in lines[:-1]) + \
            b"250 " + lines[-1] + b"\r\n"

    def _starttls(self, line):
        """True when all is said on this connection."""
        if self.how in ("refuse", "defer"):
            self.near.sendall(b"554 5.7.3 not today\r\n"
                              if self.how == "refuse" else
                              b"454 4.7.0 later\r\n")
            return False
        if self.how == "drop":
            self.reset()
        if self.how == "answer":
            self.near.sendall(b"220 go\r\n250-sink.test\r\n250 SIZE\r\n")
            self._listen()
            return True
        self.far.sendall(line)
        answer = self._reply()
        if self.how == "inject":
            answer += b"250-sink.test\r\n250 AUTH PLAIN\r\n"
        self.near.sendall(answer)
        if self.how == "swap":
            self._swap()
        else:
            self._splice(self.sealed)
        return True

    def _listen(self):
        """What it says when nobody does TLS."""
        while True:
            data = self.near.recv(65536)
            if not data:
                raise EOFError
            self.sealed += data
            self.near.sendall(b"250 2.0.0 fine\r\n")

    def _swap(self):
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(self.middle.pair.cert, self.middle.pair.key)
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        theirs.check_hostname = False
        theirs.verify_mode = ssl.CERT_NONE
        try:
            self.near = ours.wrap_socket(self.near, server_side=True)
        except ssl.SSLError:
            raise EOFError
        self.far = theirs.wrap_socket(self.far)
        self._splice(self.opened)

    # Octets

    def _splice(self, record):
        back = threading.Thread(target=self._backwards, daemon=True)
        back.start()
        while True:
            data = self.near.recv(65536)
            if not data:
                break
            record += data
            self.far.sendall(data)
        self.end()
        back.join()

    def _backwards(self):
        passed = 0
        try:
            while True:
                data = self.far.recv(65536)
                if not data:
                    break
                data = self._spoilt(data, passed)
                passed += len(data)
                self.near.sendall(data)
        except (OSError, EOFError):
            pass
        self.end()

    def _spoilt(self, data, passed):
        at = self.number - passed
        if self.how == "flip" and 0 <= at < len(data):
            return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        if self.how not in ("cut", "hold") or at > len(data):
            return data
        self.near.sendall(data[:at])
        if self.how == "cut":
            self.reset()
        while self.far.recv(65536):
            pass
        raise EOFError

    def _line(self):
        line = self._read(self.near)
        self.clear += line
        return line

    def _reply(self):
        text = b""
        while True:
            line = self._read(self.far)
            text += line
            if line[3:4] != b"-":
                return text

    @staticmethod
    def _read(sock):
        """One line, and nothing of what is behind it."""
        line = b""
        while not line.endswith(b"\r\n"):
            byte = sock.recv(1)
            if not byte:
                raise EOFError
            line += byte
        return line


def _shut(sock, how):
    try:
        sock.shutdown(how)
    except OSError:
        pass

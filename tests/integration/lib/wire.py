"""The way to a server, which can be held up, refused or cut.

    wire = Wire(("127.0.0.1", database.port))
    wire.lose(b"...")   # the server's next octets with this in them are lost,
                        # and their connection is cut

What the server did is done; who asked for it never hears so.
"""

import socket
import struct
import threading

from . import base


class Wire:
    def __init__(self, target):
        self.target = target
        self.port = base.free_port()
        self.links = []
        self.lost = 0
        self.waiting = 0            # connections that are held up
        self._lose = None
        self._then_refuse = False
        self._refuse = False
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(("127.0.0.1", self.port))
        self.listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, octets, then_refuse=False):
        """Once; then_refuse: nobody gets through after it."""
        with self._lock:
            self._then_refuse = then_refuse
            self._lose = octets

    def refuse(self, on=True):
        with self._lock:
            self._refuse = on
        if on:
            self.cut()

    def hold(self):
        """Nothing passes any more, and no connection ends."""
        self._open.clear()

    def release(self):
        self._open.set()

    def cut(self):
        with self._lock:
            links, self.links = self.links, []
        for near, far in links:
            _end(near)
            _end(far)

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.release()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,),
                             daemon=True).start()

    def _serve(self, near):
        if not self._open.is_set():
            with self._lock:
                self.waiting += 1
            self._open.wait()
        with self._lock:
            refused = self._refuse
        try:
            far = None if refused else socket.create_connection(self.target)
        except OSError:
            far = None
        if far is None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
            near.close()
            return
        with self._lock:
            self.links.append((near, far))
        threading.Thread(target=self._pass, args=(near, far, False),
                         daemon=True).start()
        self._pass(far, near, True)

    def _pass(self, source, to, answers):
        seen = b""
        try:
            while True:
                data = source.recv(65536)
                self._open.wait()
                if not data or (answers and self._is_lost(seen + data)):
                    break
                to.sendall(data)
                seen = data[-64:]
        except OSError:
            pass
        _end(source)
        _end(to)

    def _is_lost(self, data):
        with self._lock:
            if self._lose is None or self._lose not in data:
                return False
            self._lose = None
            self._refuse = self._then_refuse
            self.lost += 1
        if self._then_refuse:
            self.cut()
        return True


def _end(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass

"""A web server that records what is posted, and answers as it is told."""

import http.server
import ssl
import threading

from . import base


class Webhook:
    """codes: what it answers, one after another, then 200. tls: a certs.Pair"""

    def __init__(self, codes=(), tls=None):
        self.posts = []         # (headers, body)
        self.codes = list(codes)
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((self.headers, body))
                self.send_response(hook.codes.pop(0) if hook.codes else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.port = self.server.server_address[1]
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.cert, tls.key)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True,
                do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def wait(self, count=1):
        base.wait_for(lambda: len(self.posts) >= count,
                      "%d posts" % count)
        return self.posts

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

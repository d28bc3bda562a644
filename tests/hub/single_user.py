"""The server that the hub under test starts for a user: it answers, which is all that the hub waits for."""

import http.server
import os
from urllib.parse import urlsplit


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments):
        pass


address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((address.hostname, address.port), Answer).serve_forever()

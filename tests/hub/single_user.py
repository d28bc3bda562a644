"""The server that the hub under test starts for a user: it answers, which is all that the hub waits for."""

import http.server
import os
import sys
from urllib.parse import urlsplit


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments):
        pass


# JupyterHub 1.5 passes the port as an argument only.
ports = [argument[len("--port=") :] for argument in sys.argv if argument.startswith("--port=")]
address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL") or f"http://127.0.0.1:{ports[0]}")
http.server.ThreadingHTTPServer((address.hostname, address.port), Answer).serve_forever()

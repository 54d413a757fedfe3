"""An upstream that reads the path of a request as Python's servers and frameworks do, in
several ways, and names every resource that one of them finds."""

import posixpath
import sys
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, unquote_plus, unquote_to_bytes, urlparse

RESOURCES = ["/health", "/public/x", "/v1/models", "/admin/pools", "/ollama/api/pull", "/v2/nodes", "/v2/tasks", "/internal/x"]
PLACES = [(r, r if r.startswith("/v2/") else "/" + r.split("/")[1]) for r in RESOURCES]

READINGS = [
    lambda target: urlparse(target).path,  # takes the parameters of the last segment off
    lambda target: posixpath.normpath(unquote(urlparse(target).path)),
    lambda target: posixpath.normpath(unquote_plus(target.split("?")[0])),
    lambda target: unquote_to_bytes(target.split("?")[0]).decode("latin-1"),  # PATH_INFO of WSGI
    lambda target: unicodedata.normalize("NFKC", unquote(target.split("?")[0])).casefold(),
    lambda target: posixpath.normpath(unquote(unquote(target.split("?")[0]))),
    lambda target: posixpath.normpath(unquote(target.split("?")[0]).replace("\\", "/")),
]


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):  # each method, as frameworks have it
            return self.answer
        raise AttributeError(name)

    def answer(self):
        found = []
        for read in READINGS:
            try:
                asked = read(self.path).casefold()
            except ValueError:
                continue
            for resource, place in PLACES:
                if (asked == place or asked.startswith(place + "/")) and resource not in found:
                    found.append(resource)
        body = "".join("RESOURCE=%s\n" % r for r in found).encode()
        self.close_connection = True  # a body that was not read is no next request
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Upstream).serve_forever()

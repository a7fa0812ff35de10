"""A small HTTP server on loopback, in a thread: the other side of an authentication back-end, or an issuer's keys.

What it is asked is in `requests`; `answer` says what to answer, and may be exchanged at any time.
"""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from warren.gateway.configuration.catalogue import KEYS
from warren.gateway.configuration.config import Config

TIME_LIMIT_S = 60.0


@dataclass(frozen=True)
class Asked:
    """One request: the last word of its path, and its parameters."""

    method: str
    path: str
    parameters: Mapping[str, str]

    @property
    def key(self) -> tuple[str, ...]:
        """Path and parameters, in one order."""
        return (self.path, *(f"{name}={value}" for name, value in sorted(self.parameters.items())))


Answer = Callable[[Asked], tuple[int, str]]


def allow_all(asked: Asked) -> tuple[int, str]:
    """Everybody everything, as an administrator."""
    return 200, "allow administrator" if asked.path == "user" else "allow"


@dataclass
class AuthServer:
    """url: without a slash at its end."""

    url: str
    answer: Answer = allow_all
    requests: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> list[Asked]:
        """What was asked since the last call."""
        with self.lock:
            taken, self.requests = self.requests, []
        return taken

    def written(self, **others: object) -> dict[str, object]:
        """Keys that have a broker ask here, as they are written."""
        paths = {f"auth_http_{name}_path": f"{self.url}/{name}" for name in ("user", "vhost", "resource", "topic")}
        return {**paths, **others}

    def config(self, **others: object) -> Config:
        """The same as a configuration."""
        written = self.written(**others)
        return Config(in_memory=True, **{name: KEYS[name].parse(value) for name, value in written.items()})

    def rabbitmq_conf(self) -> list[str]:
        """The same for RabbitMQ."""
        return [f"auth_http.{name}_path = {self.url}/{name}" for name in ("user", "vhost", "resource", "topic")]


@contextmanager
def auth_server(answer: Answer = allow_all, context: ssl.SSLContext | None = None) -> Iterator[AuthServer]:
    """One for the length of a block.  context: to serve HTTPS with, by the name `localhost`."""
    made: list[AuthServer] = []

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A handshake that fails is what tests of it are about."""
            if not isinstance(sys.exc_info()[1], OSError):
                raise AssertionError("the server has failed") from sys.exc_info()[1]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIME_LIMIT_S

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._answer(parts.path, parts.query)

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("content-length", "0")))
            self._answer(urlsplit(self.path).path, form.decode())

        def _answer(self, path: str, parameters: str) -> None:
            asked = Asked(self.command, path.rpartition("/")[2], dict(parse_qsl(parameters, keep_blank_values=True)))
            with made[0].lock:
                made[0].requests.append(asked)
            status, text = made[0].answer(asked)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    url = f"http://127.0.0.1:{server.server_port}"
    if context is not None:
        # The handshake is each connection's own thread's, so that one that fails or never comes hinders nobody.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        url = f"https://localhost:{server.server_port}"
    made.append(AuthServer(url, answer))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIME_LIMIT_S)

"""A small issuer of tokens on loopback, in a thread: OpenID Connect's description, login, tokens, keys and logout.

Whoever comes to log in is let in at once, as `claims` say.  What it was asked for tokens is in `grants`, and a code is
taken once, from whoever knows its verifier (RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.tokens import jwks, rsa_key

TIME_LIMIT_S = 60.0

VALID_S = 600


@dataclass
class TokenIssuer:
    """url: without a slash at its end.  claims: of its tokens.  refuses: a login, for this reason.  expires_in_s: what
    it says of tokens, which are good for longer."""

    url: str
    claims: dict[str, object]
    refuses: str = ""
    expires_in_s: int = VALID_S
    grants: list[Mapping[str, str]] = field(default_factory=list)
    goodbyes: list[Mapping[str, str]] = field(default_factory=list)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def description(self) -> Mapping[str, object]:
        """What it says of itself."""
        ends = {"authorization": "authorize", "token": "token", "end_session": "goodbye"}
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in ends.items()},
        }

    def log_in(self, asked: Mapping[str, str]) -> str:
        """Where the browser goes next."""
        answer = {"state": asked["state"], "iss": self.url}
        if self.refuses:
            answer |= {"error": "access_denied", "error_description": self.refuses}
        else:
            code = f"code-{len(self.codes)}"
            self.codes[code] = asked
            answer["code"] = code
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def token(self, asked: Mapping[str, str]) -> tuple[int, Mapping[str, object]]:
        """The answer to who asks for one."""
        self.grants.append(asked)
        if asked["grant_type"] == "authorization_code":
            begun = self.codes.pop(asked["code"], {})
            digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if (challenge, asked["redirect_uri"]) != (begun.get("code_challenge"), begun.get("redirect_uri")):
                return 400, {"error": "invalid_grant"}
        token = rsa_key().sign({"exp": int(time.time()) + VALID_S, "jti": str(len(self.grants)), **self.claims})
        return 200, {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.expires_in_s,
            "refresh_token": "again",
            "id_token": token,
        }


@contextmanager
def token_issuer(**claims: object) -> Iterator[TokenIssuer]:
    """One for the length of a block."""
    made: list[TokenIssuer] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIME_LIMIT_S

        def do_GET(self) -> None:
            issuer, parts = made[0], urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            if parts.path == "/authorize":
                self._answer(302, b"", location=issuer.log_in(query))
            elif parts.path == "/goodbye":
                issuer.goodbyes.append(query)
                self._answer(302, b"", location=query["post_logout_redirect_uri"])
            elif parts.path == "/keys":
                self._answer(200, jwks(rsa_key()).encode())
            elif parts.path == "/.well-known/openid-configuration":
                self._answer(200, json.dumps(issuer.description()).encode())
            else:
                self._answer(404, b"{}")

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            status, answer = made[0].token(dict(parse_qsl(form)))
            self._answer(status, json.dumps(answer).encode())

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Access-Control-Allow-Origin", "*")
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.append(TokenIssuer(f"http://127.0.0.1:{server.server_port}", claims))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIME_LIMIT_S)

"""The client's side over HTTP: the words of `warren ctl --url`, and what else the management API tells a terminal.

    http://USER:PASSWORD@HOST:PORT    https://… over TLS    without USER guest logs in, without PASSWORD it is asked for

Whom TLS trusts are the system's authorities; OpenSSL's $SSL_CERT_FILE names others.  A redirection is not followed, as
the password would go along.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from warren.core.frozen import frozen
from warren.gateway.control import client
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.protocol import decode

DEFAULT_USER: Final = "guest"

CONTROL_PATH: Final = "/api/control"

SYNTAX: Final = "a URL is such as http://guest:guest@localhost:15672"


@frozen
class Api:
    """A management API.  shown: its URL without a password, for people.  base: what paths are put behind."""

    shown: str
    base: str
    user: str
    password: str

    @staticmethod
    def at(url: str) -> Api:
        """As the head of this file says.  Raises CommandFailedError."""
        try:
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits:
            raise CommandFailedError(f"--url can't be '{_without_password(url)}': {SYNTAX}", codes.USAGE)
        base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        user = unquote(parts.username or "") or DEFAULT_USER
        password = DEFAULT_USER if parts.username is None else _password_of(user, parts.password, base)
        return Api(base, base, user, password)

    def lines(self, path: str, timeout_s: float | None) -> Iterator[bytes]:
        """The lines of what a GET of this path answers.  Raises CommandFailedError."""
        with _told(self), self._open(path, None, timeout_s) as response:
            yield from response

    def request(
        self,
        command: str,
        arguments: Sequence[str] = (),
        options: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        content: bytes | None = None,
    ) -> dict[str, object]:
        """Have a word carried out, as `client.request` does."""
        body = client.message(command, arguments, options, content)
        with _told(self), self._open(CONTROL_PATH, body, timeout_s) as response:
            answer = decode(response.read())
        return client.successful(answer)

    def _open(self, path: str, body: bytes | None, timeout_s: float | None) -> IO[bytes]:
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"authorization": f"Basic {token}"}
        if body is not None:
            headers["content-type"] = "application/json"
        asked = urllib.request.Request(self.base + path, body, headers)
        response: IO[bytes] = urllib.request.build_opener(_NoRedirection).open(asked, timeout=timeout_s)
        return response


Where = Path | Api
"""Where a broker is asked: by the control socket in its data directory, or over HTTP."""


def ask(
    where: Where,
    command: str,
    arguments: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    timeout_s: float | None = None,
    content: bytes | None = None,
) -> dict[str, object]:
    """Have a word carried out there; see `client.request`."""
    if isinstance(where, Api):
        return where.request(command, arguments, options, timeout_s, content)
    return client.request(where, command, arguments, options, timeout_s, content)


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """There is none, so the answer itself is the error."""


@contextmanager
def _told(api: Api) -> Iterator[None]:
    """Turns what goes wrong within its block into CommandFailedError."""
    try:
        yield
    except urllib.error.HTTPError as error:
        with error:
            raise CommandFailedError(*_refusal(error)) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            text = f"{api.shown} did not answer in time (--timeout)"
            raise CommandFailedError(text, codes.TEMPORARY_FAILURE) from None
        raise CommandFailedError(f"{api.shown} can't be asked: {reason}", codes.UNAVAILABLE) from None


def _refusal(error: urllib.error.HTTPError) -> tuple[str, int]:
    try:
        reason = str(json.loads(error.read())["reason"])
    except (ValueError, KeyError, TypeError, OSError):
        reason = f"the answer to {error.url} is {error.code} {error.reason}"
    return reason, codes.DATA if error.code == 404 else codes.SOFTWARE


def _password_of(user: str, given: str | None, base: str) -> str:
    if given is not None:
        return unquote(given)
    import getpass

    try:
        return getpass.getpass(f"Password of {user} at {base}: ")
    except (EOFError, OSError):
        raise CommandFailedError(f"there is no password for {user} in --url: {SYNTAX}", codes.USAGE) from None


def _without_password(url: str) -> str:
    before, at, host = url.rpartition("@")
    return f"{before.partition('://')[0]}://…@{host}" if at else url

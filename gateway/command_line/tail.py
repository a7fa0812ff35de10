"""`warren tail`: messages as they come, from the control socket or from the management API (`--url`)."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError, request

READ_TIMEOUT_S: Final = 60.0
"""The API says something every 15 seconds."""

PARAMETERS: Final = {"queue": "queue", "exchange": "exchange", "topic": "mqtt_topic"}
"""What the API calls the kinds of `--as`."""


def run(directory: Path | None, arguments: Sequence[str], options: Mapping[str, object], *, as_json: bool) -> None:
    """Print messages until Ctrl-C, or until there were `--count`.

    directory: of the broker, None with `--url`.  as_json: a line of JSON for each.  Raises CommandFailedError.
    """
    count = whole_number(options.get("count"), "--count")
    if directory is None:
        found = _from_api(str(options["url"]), arguments, options)
    else:
        found = _from_socket(directory, arguments, options)
    show = _json_line if as_json else _Shown().line
    for each in found:
        show(each)
        if "missed" not in each and count is not None:
            count -= 1
            if not count:
                return


def whole_number(given: object, option: str) -> int | None:
    """The number that an option gives, None where it isn't there.  CommandFailedError for what is none from 1 on."""
    if given is None:
        return None
    text = str(given)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise CommandFailedError(f"{option} must be a number from 1 on, not '{text}'", codes.USAGE)
    return int(text)


def _from_socket(directory: Path, arguments: Sequence[str], options: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    asked = {name: each for name, each in options.items() if name not in ("count", "url", "token")}
    while True:
        answer: Any = request(directory, "tail", arguments, asked, READ_TIMEOUT_S)["value"]
        if answer["missed"]:
            yield {"missed": answer["missed"]}
        yield from answer["messages"]
        if answer["over"]:
            return
        asked["token"] = answer["token"]


def _from_api(url: str, arguments: Sequence[str], options: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    name, *conditions = arguments
    kind = str(options.get("as") or ("topic" if "/" in name else "queue"))
    if kind not in PARAMETERS:
        raise CommandFailedError(f"--as is {', '.join(PARAMETERS)}, not '{kind}'", codes.USAGE)
    query = [(PARAMETERS[kind], name)]
    for given in conditions:
        what, equals, text = given.partition("=")
        if not what or not equals:
            raise CommandFailedError(f"'{given}' is no filter: NAME=VALUE", codes.USAGE)
        query.append((what, text))
    vhost = quote(str(options.get("vhost") or "/"), safe="")
    for line in lines_of(url, f"/api/tail/{vhost}?{urlencode(query)}"):
        if line.strip():
            yield json.loads(line)


def lines_of(url: str, path: str) -> Iterator[bytes]:
    """The lines of an answer of the management API at `url`, which may hold a user and a password.

    Raises CommandFailedError.
    """
    try:
        asked = urllib.request.Request(*_addressed(url, path))
        with urllib.request.urlopen(asked, timeout=READ_TIMEOUT_S) as response:
            yield from response
    except urllib.error.HTTPError as error:
        raise CommandFailedError(_reason(error), codes.DATA if error.code == 404 else codes.SOFTWARE) from None
    except (OSError, ValueError) as error:
        text = f"{_without_password(url)} can't be asked: {getattr(error, 'reason', None) or error}"
        raise CommandFailedError(text, codes.UNAVAILABLE) from None


def _addressed(url: str, path: str) -> tuple[str, None, dict[str, str]]:
    """The whole address, and the headers that say who asks."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL is such as http://guest:guest@localhost:15672")
    host = parts.netloc.rpartition("@")[2]
    user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    address = urlunsplit(
        (parts.scheme, host, parts.path.rstrip("/") + path.partition("?")[0], path.partition("?")[2], "")
    )
    return address, None, {"authorization": f"Basic {token}"}


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["reason"])
    except (ValueError, KeyError, TypeError):
        return f"the API answered with {error.code}"


def _json_line(each: Mapping[str, Any]) -> None:
    print(json.dumps(each, ensure_ascii=False, default=str), flush=True)


class _Shown:
    """Messages for people, in colours where there is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(soft_wrap=True, highlight=False)

    def line(self, each: Mapping[str, Any]) -> None:
        from rich.text import Text

        if "missed" in each:
            self._console.print(Text(f"({each['missed']} messages came too fast to be shown)", "yellow"))
            return
        at = datetime.fromtimestamp(each["at"] / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        where = f"{each['exchange'] or 'amq.default'} → {each['routing_key']}"
        text = Text.assemble((at, "dim"), " ", (where, "bold cyan"), (f" {each['payload_bytes']} bytes", "dim"))
        properties = each["properties"]
        if properties:
            text.append(f" {json.dumps(properties, ensure_ascii=False, default=str)}", "magenta")
        text.append(f"\n  {each['payload']}")
        self._console.print(text)

"""`warren tail`: messages as they come, from the control socket or from the management API (`--url`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Api, Where, ask
from warren.gateway.control.client import CommandFailedError

READ_TIMEOUT_S: Final = 60.0
"""The API says something every 15 seconds."""

PARAMETERS: Final = {"queue": "queue", "exchange": "exchange", "topic": "mqtt_topic"}
"""What the API calls the kinds of `--as`."""


def run(where: Where, arguments: Sequence[str], options: Mapping[str, object], *, as_json: bool) -> None:
    """Print messages until Ctrl-C, or until there were `--count`.

    as_json: a line of JSON for each.  Raises CommandFailedError.
    """
    count = whole_number(options.get("count"), "--count")
    if isinstance(where, Api):
        found = _from_api(where, arguments, options)
    else:
        found = _from_socket(where, arguments, options)
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


def _from_socket(where: Where, arguments: Sequence[str], options: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    asked = {name: each for name, each in options.items() if name not in ("count", "token")}
    while True:
        answer: Any = ask(where, "tail", arguments, asked, READ_TIMEOUT_S)["value"]
        if "token" not in asked:
            _say_what_is_watched(arguments, options)
        if answer["missed"]:
            yield {"missed": answer["missed"]}
        yield from answer["messages"]
        if answer["over"]:
            return
        asked["token"] = answer["token"]


def _from_api(api: Api, arguments: Sequence[str], options: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    name, *conditions = arguments
    kind = str(options.get("as") or ("topic" if "/" in name else "queue"))
    if kind not in PARAMETERS:
        raise CommandFailedError(f"--as is {', '.join(PARAMETERS)}, not '{kind}'", codes.USAGE)
    query = [(PARAMETERS[kind], name)]
    if "from" in options:
        query.append(("from", str(options["from"])))
    for given in conditions:
        what, equals, text = given.partition("=")
        if not what or not equals:
            raise CommandFailedError(f"'{given}' is no filter: NAME=VALUE", codes.USAGE)
        query.append((what, text))
    _say_what_is_watched(arguments, options)
    vhost = quote(str(options.get("vhost") or "/"), safe="")
    for line in api.lines(f"/api/tail/{vhost}?{urlencode(query)}", READ_TIMEOUT_S):
        if line.strip():
            yield json.loads(line)


def _say_what_is_watched(arguments: Sequence[str], options: Mapping[str, object]) -> None:
    """On standard error, so that whoever waits for the first message knows that it is this that is waited for."""
    name, *conditions = arguments
    only = f", where {' and '.join(conditions)}" if conditions else ""
    vhost = options.get("vhost") or "/"
    print(f"watching {name} in the virtual host {vhost}{only}; Ctrl-C ends it", file=sys.stderr, flush=True)


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

"""A running RabbitMQ as its management API shows it: the definitions, and which queues hold how many messages.

Its counts may be some seconds old, and what they say is empty needn't be (rabbitmq_counts.py).  Queues come in pages,
since there may be very many.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote, urlsplit, urlunsplit

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Api
from warren.gateway.control.client import CommandFailedError

PAGE: Final = 500
"""Queues that are asked for at a time: RabbitMQ's own bound."""

TOTALS: Final = "disable_stats=true&enable_queue_totals=true"
"""Counts that are as new as can be, and nothing else of statistics; older ones than RabbitMQ 3.8.10 don't know that."""

DEFINITIONS_BYTES_MAX: Final = 256 * 1024 * 1024
"""As much as Warren imports in one; more is no answer of a RabbitMQ."""

OF_VHOSTS: Final = ("permissions", "topic_permissions", "parameters", "policies", "queues", "exchanges", "bindings")
"""Sections of definitions whose entries belong to a virtual host."""

MOVERS: Final = ("shovel", "federation", "federation-upstream", "federation-upstream-set")
"""Components whose parameters move messages by themselves: here and there at once, they would do so twice."""


class Waiting(NamedTuple):
    """A queue of RabbitMQ's.  messages: that are in it; unacknowledged: of these, those that a consumer has."""

    vhost: str
    name: str
    kind: str
    messages: int
    unacknowledged: int
    is_exclusive: bool


class RabbitmqSource:
    """Of one management API.  timeout_s: for an answer."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.api = Api.at(url)
        self._url = url
        self._timeout_s = timeout_s

    def definitions(self, vhosts: Collection[str]) -> tuple[dict[str, Any], int]:
        """What is declared there, in these virtual hosts or in all, and how many parameters were left out (MOVERS).

        Raises CommandFailedError.
        """
        found = cast("dict[str, Any]", self._get("/api/definitions"))
        if not isinstance(found, dict) or "vhosts" not in found:
            raise CommandFailedError(f"{self.api.shown} is no management API of a RabbitMQ", codes.DATA)
        parameters = found.get("parameters", [])
        found["parameters"] = [each for each in parameters if each.get("component") not in MOVERS]
        if vhosts:
            found["vhosts"] = [each for each in found["vhosts"] if each["name"] in vhosts]
            for section in OF_VHOSTS:
                found[section] = [each for each in found.get(section, []) if each["vhost"] in vhosts]
        return found, len(parameters) - len(found["parameters"])

    def queues(self, vhost: str) -> Iterator[Waiting]:
        """The queues of a virtual host.  Raises CommandFailedError."""
        page, pages = 1, 1
        while page <= pages:
            asked = f"/api/queues/{quote(vhost, safe='')}?page={page}&page_size={PAGE}&{TOTALS}"
            answer = cast("dict[str, Any]", self._get(asked))
            pages = int(answer.get("page_count", 1))
            page += 1
            yield from (_waiting(each, vhost) for each in answer["items"])

    def uri(self, given: str | None, vhost: str) -> str:
        """Where AMQP reaches it: as it was given, with user and password of the API unless it has some."""
        parts = urlsplit(given or f"amqp://{_bracketed(urlsplit(self._url).hostname or '')}")
        if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
            raise CommandFailedError("--amqp is such as amqp://host:5672, without a virtual host", codes.USAGE)
        host = parts.netloc.rpartition("@")[2]
        user, password = parts.username, parts.password
        if user is None:
            user, password = quote(self.api.user, safe=""), quote(self.api.password, safe="")
        login = f"{user}:{password or ''}@"
        return urlunsplit((parts.scheme, login + host, f"/{quote(vhost, safe='')}", parts.query, ""))

    def _get(self, path: str) -> object:
        found = bytearray()
        for line in self.api.lines(path, self._timeout_s):
            found += line
            if len(found) > DEFINITIONS_BYTES_MAX:
                raise CommandFailedError(
                    f"{self.api.shown} answers more than {DEFINITIONS_BYTES_MAX} bytes", codes.DATA
                )
        try:
            return json.loads(found)
        except ValueError:
            raise CommandFailedError(
                f"{self.api.shown} is no management API: its answer isn't JSON", codes.DATA
            ) from None


def _waiting(row: dict[str, Any], vhost: str) -> Waiting:
    arguments = row.get("arguments") or {}
    kind = row.get("type") or arguments.get("x-queue-type") or "classic"
    return Waiting(
        vhost,
        row["name"],
        str(kind).removeprefix("rabbit_").removesuffix("_queue"),
        int(row.get("messages", 0)),
        int(row.get("messages_unacknowledged", 0)),
        bool(row.get("exclusive") or row.get("owner_pid_details")),
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

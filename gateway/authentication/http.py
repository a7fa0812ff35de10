"""The back-end `http`: RabbitMQ's protocol of rabbitmq_auth_backend_http.

    user_path        username, password, and what the protocol knows besides    allow [TAG ...]   or   deny
    vhost_path       username, vhost, ip, tags                                  allow             or   deny
    resource_path    username, vhost, resource, name, permission, tags          allow             or   deny
    topic_path       the same, routing_key, variable_map.NAME ...               allow             or   deny

as a query of GET, or a form of POST; answered with 200 or 201 and one of these words, in any case.  Everything else is
a failure.  A reason may follow `deny`; the log has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from warren.adapters.peers.uri import TlsParameters
from warren.core.access.questions import Answer, Denied, Identity, Login, MayEnter, MayUse, Question
from warren.gateway.authentication.back_end import AuthenticationBackEnd
from warren.gateway.authentication.http_client import HttpClient, HttpError
from warren.gateway.authentication.settings.http import HttpBackEndSettings

if TYPE_CHECKING:
    from warren.adapters.interface import Options

ANSWER_BYTES_MAX: Final = 64 * 1024

SHOWN_MAX: Final = 200

SUCCESSFUL: Final = (200, 201)

Parameters = list[tuple[str, str]]


class HttpBackEnd(AuthenticationBackEnd):
    """See the head of this file."""

    def __init__(self, options: Options) -> None:
        self._settings = settings = options.section(HttpBackEndSettings)
        self.timeout_s = settings.request_timeout_s + settings.connection_timeout_s
        self.concurrent_max = settings.connections_max
        self._client = HttpClient(
            TlsParameters(
                _text(settings.ca_file),
                _text(settings.certificate_file),
                _text(settings.key_file),
                verify=settings.verify == "verify_peer",
            ),
            timeout_s=settings.request_timeout_s,
            connection_timeout_s=settings.connection_timeout_s,
            body_bytes_max=ANSWER_BYTES_MAX,
            idle_max=settings.connections_max,
        )

    async def answer(self, question: Question) -> Answer:
        """Ask, and read the answer."""
        path, parameters = self._request(question)
        encoded = "&".join(f"{name}={_quoted(value)}" for name, value in parameters)
        try:
            if self._settings.method == "post":
                found = await self._client.post(path, encoded)
            else:
                found = await self._client.get(path, encoded)
        except HttpError as error:
            return Denied(str(error), failed=True)
        text = found.body.decode("utf-8", "replace").strip()
        if found.status not in SUCCESSFUL:
            return Denied(f"it answered with status {found.status}: {text[:SHOWN_MAX]!r}", failed=True)
        return _read(question, text)

    async def run(self) -> None:
        """Keep connections to it."""
        await self._client.keep_open()

    def _request(self, question: Question) -> tuple[str, Parameters]:
        settings = self._settings
        if isinstance(question, Login):
            credentials = [("password", question.secret.text)] if question.secret is not None else []
            return settings.user_path, [("username", question.name), *question.properties, *credentials]
        who = question.who
        of_user: Parameters = [("username", who.name), ("vhost", question.vhost)]
        tags = ("tags", " ".join(sorted(who.tags)))
        if isinstance(question, MayEnter):
            return settings.vhost_path, [*of_user, ("ip", question.peer_host), tags]
        if isinstance(question, MayUse):
            resource = [("resource", question.kind), ("name", question.name), ("permission", question.verb)]
            return settings.resource_path, [*of_user, *resource, tags]
        topic = [("resource", "topic"), ("name", question.exchange), ("permission", question.verb)]
        variables = [(f"variable_map.{name}", value) for name, value in question.variables]
        return settings.topic_path, [*of_user, *topic, tags, ("routing_key", question.routing_key), *variables]


def _read(question: Question, text: str) -> Answer:
    words = text.split()
    first = words[0].lower() if words else ""
    if first == "deny":
        reason = " ".join(words[1:])
        return Denied(f"denied{reason and ': '}{reason[:SHOWN_MAX]}")
    if isinstance(question, Login) and first == "allow":
        return Identity(question.name, frozenset(words[1:]))
    if not isinstance(question, Login) and [first] == [word.lower() for word in words] and first == "allow":
        return True
    return Denied(f"its answer is neither allow nor deny: {text[:SHOWN_MAX]!r}", failed=True)


def _quoted(value: str) -> str:
    return quote_plus(value.encode("utf-8", "surrogateescape"))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

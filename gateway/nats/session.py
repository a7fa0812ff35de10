"""One connection to a NATS server, without its socket: login, subscriptions, requests and their answers.

A request's answer goes to an inbox below a prefix that is drawn by lot, and all inboxes share one subscription; the
last word of the subject says which request it is.  Whoever drives the session sends what `take_output` gives, feeds it
what comes, and begins TLS when `wants_tls` says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from warren.gateway.nats.addresses import ServerAddress
from warren.gateway.nats.codec import (
    Fault,
    Info,
    Malformed,
    Message,
    Parser,
    Signal,
    encode_connect,
    encode_publish,
    encode_subscribe,
    encode_unsubscribe,
)
from warren.gateway.nats.errors import LoginRefused, NatsDisconnected, NatsProtocolError
from warren.gateway.nats.headers import encode_headers
from warren.gateway.nats.options import Options

_INBOX_SID: Final = 1

_PING: Final = b"PING\r\n"
_PONG: Final = b"PONG\r\n"

_HARMLESS: Final = ("permissions violation", "invalid subject")
"""Faults behind which the connection stays."""


class Session:
    """See the head of this file.

    info: what the server has said of itself, empty before.  is_ready: the login was accepted.  wants_tls: TLS is to
    begin now, before anything is sent; `tls_began` then.  refusal: the last fault behind which the connection stays.
    """

    def __init__(self, options: Options, server: ServerAddress) -> None:
        self.info: Mapping[str, object] = {}
        self.server = server
        self.is_ready = False
        self.wants_tls = False
        self.refusal = ""
        self._options = options
        self._parser = Parser()
        self._output: list[bytes] = []
        self._inbox = new_inbox()
        self._sids = _INBOX_SID
        self._tokens = 0
        self._is_encrypted = False
        self._is_logging_in = False

    @property
    def version(self) -> str:
        """The server's."""
        return str(self.info.get("version", ""))

    @property
    def payload_bytes_max(self) -> int:
        """The most that the server takes in one message, with headers."""
        told = self.info.get("max_payload")
        return told if isinstance(told, int) else 0

    @property
    def is_leaving(self) -> bool:
        """Whether the server has said that it is about to stop (its lame duck mode)."""
        return self.info.get("ldm") is True

    def receive(self, data: bytes) -> list[Message]:
        """The messages that came.

        Raises LoginRefused, NatsProtocolError, and NatsDisconnected where the server ends it; the session is over then.
        """
        messages: list[Message] = []
        for event in self._parser.feed(data):
            if isinstance(event, Message):
                messages.append(event)
            elif event is Signal.PING:
                self._output.append(_PONG)
            elif event is Signal.PONG:
                self.is_ready = True
            elif isinstance(event, Info):
                self._take_info(event)
            elif isinstance(event, Fault):
                self._take_fault(event.text)
            elif isinstance(event, Malformed):
                raise NatsProtocolError(f"{self.server} doesn't speak NATS as it should: {event.text}")
        return messages

    def take_output(self) -> list[bytes]:
        """What is to be sent now."""
        output, self._output = self._output, []
        return output

    def tls_began(self) -> None:
        """What goes out from now on is encrypted."""
        self.wants_tls = False
        self._is_encrypted = True
        self._log_in()

    def ping(self) -> None:
        """Ask whether the server is there."""
        self._output.append(_PING)

    def publish(
        self, subject: str, payload: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Publish.  Raises ValueError for what is no subject, and for more than the server takes."""
        block = encode_headers(headers) if headers else b""
        if len(payload) + len(block) > self.payload_bytes_max:
            raise ValueError(
                f"{len(payload) + len(block)} octets are more than {self.server} takes in one message "
                f"(max_payload {self.payload_bytes_max})"
            )
        self._output += encode_publish(subject, payload, reply=reply, headers=block)

    def request(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> str:
        """Publish with an inbox for the answers; the subject that they will have."""
        self._tokens += 1
        reply = f"{self._inbox}.{self._tokens}"
        self.publish(subject, payload, reply=reply, headers=headers)
        return reply

    def is_answer(self, message: Message) -> bool:
        """Whether it is one to a request, rather than of a subscription."""
        return message.sid == _INBOX_SID

    def subscribe(self, subject: str, group: str = "") -> int:
        """Subscribe; the number that its messages have.  Raises ValueError for what is no subject."""
        self._sids += 1
        self._output.append(encode_subscribe(subject, self._sids, group))
        return self._sids

    def unsubscribe(self, sid: int) -> None:
        """Behind `subscribe`."""
        self._output.append(encode_unsubscribe(sid))

    def _take_info(self, event: Info) -> None:
        is_first = not self.info
        self.info = event.fields
        if not is_first:
            return
        offers_tls = event.fields.get("tls_required") is True or event.fields.get("tls_available") is True
        if self.server.tls and not offers_tls:
            raise LoginRefused(f"{self.server} offers no TLS; write nats:// for a server without it")
        if event.fields.get("tls_required") is True or self.server.tls:
            if self._parser.has_rest:
                # Whoever is on the way may have put it there, to be taken for what is said under TLS.
                raise NatsProtocolError(f"{self.server} says more before TLS begins than it may")
            self.wants_tls = True
        else:
            self._log_in()

    def _log_in(self) -> None:
        if self._is_logging_in:
            return
        self._is_logging_in = True
        nonce = self.info.get("nonce")
        fields: dict[str, object] = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "echo": True,
            "protocol": 1,
            "lang": "python",
            "version": "1",
            "name": self._options.name,
            "tls_required": self._is_encrypted,
        }
        fields.update(self._options.login.fields(self.server, nonce if isinstance(nonce, str) else ""))
        self._output += [encode_connect(fields), encode_subscribe(f"{self._inbox}.*", _INBOX_SID), _PING]

    def _take_fault(self, text: str) -> None:
        lower = text.lower()
        if lower.startswith(_HARMLESS):
            self.refusal = text
        elif not self.is_ready and ("auth" in lower or "account" in lower or "secure connection" in lower):
            raise LoginRefused(f"{self.server} refuses the login: {text}")
        else:
            raise NatsDisconnected(f"{self.server} ends the connection: {text}")


def new_inbox() -> str:
    """A subject that nobody else has, to subscribe to."""
    return f"_INBOX.{secrets.token_hex(12)}"

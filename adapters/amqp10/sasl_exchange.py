"""Who the client is: protocol headers and SASL (part 2, 2.2; part 5, 5.3), up to where open is due.

    -> AMQP 3 1 0 0      <- AMQP 3 1 0 0, mechanisms
    -> init              <- [challenge -> response]* outcome
    -> AMQP 0 1 0 0      <- AMQP 0 1 0 0

Without SASL, nobody in particular connects, which is allowed where the configuration names a user for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.composites import decode_composite
from warren.adapters.amqp10.codec.errors import ILLEGAL_STATE, NOT_IMPLEMENTED, PeerMistake, Undecodable
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame
from warren.adapters.session.admission import LoginRefused, let_in, log_in
from warren.adapters.session.scram import SCRAM_SHA_256, ScramRefused, ScramSha256
from warren.core.access.answers import Unanswered

if TYPE_CHECKING:
    from warren.adapters.amqp10.connection import Connection
    from warren.core.access.accounts import User

ATTEMPTS_LABEL: Final = "amqp10"
"""What RabbitMQ calls the protocol where it counts logins."""

PLAIN: Final = "PLAIN"
EXTERNAL: Final = "EXTERNAL"
ANONYMOUS: Final = "ANONYMOUS"


class SaslExchange:
    """Of one connection, until the headers and SASL are through."""

    __slots__ = ("_connection", "_scram", "_user", "awaits_header")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._scram: ScramSha256 | None = None
        self._user: User | None = None
        self.awaits_header = True

    def may_be_header(self, start: bytes) -> bool:
        """Whether these bytes, fewer than a header has, may be the beginning of one that is due."""
        return AMQP_HEADER.startswith(start) or (self._user is None and SASL_HEADER.startswith(start))

    def header(self, header: bytes) -> None:
        """A protocol header."""
        connection = self._connection
        if self._user is not None:
            if header != AMQP_HEADER:
                connection.refuse_protocol(header, AMQP_HEADER)
                return
            self._secured(self._user)
        elif header == SASL_HEADER:
            self.awaits_header = False
            connection.outbox.write(SASL_HEADER)
            self._send(sasl.SaslMechanisms(self._mechanisms()))
        elif header == AMQP_HEADER and connection.settings.anonymous_user:
            self._without_sasl()
        else:
            connection.refuse_protocol(header, SASL_HEADER)

    def frame(self, data: bytes, at: int, end: int) -> None:
        """A frame of SASL; PeerMistake for one that isn't due."""
        body, stop = decode_composite(data, at, end)
        if stop != end:
            raise Undecodable(f"{end - stop} bytes behind a performative", clause="5.3.1")
        if isinstance(body, sasl.SaslInit) and not self._connection.agreed.mechanism:
            self._connection.agreed.mechanism = body.mechanism
            self._begin(body)
        elif isinstance(body, sasl.SaslResponse) and self._scram is not None:
            self._answer(self._scram, body.response)
        else:
            raise PeerMistake(ILLEGAL_STATE, "a frame of SASL out of order", clause="5.3.2")

    def _mechanisms(self) -> list[str]:
        offered = [PLAIN, SCRAM_SHA_256]
        if self._connection.transport.certificate_name is not None:
            offered.append(EXTERNAL)
        if self._connection.settings.anonymous_user:
            offered.append(ANONYMOUS)
        return offered

    def _begin(self, body: sasl.SaslInit) -> None:
        connection = self._connection
        response = body.initial_response or b""
        if body.mechanism not in self._mechanisms():
            raise PeerMistake(NOT_IMPLEMENTED, f"the mechanism {body.mechanism[:40]} isn't offered", clause="5.3.3.2")
        if body.mechanism == PLAIN:
            parts = response.split(b"\0")
            if len(parts) != 3:
                self._refused(LoginRefused("", "a PLAIN response is NUL, user name, NUL, password"))
                return
            name, password = (part.decode("utf-8", "surrogateescape") for part in parts[1:])
            self._log_in(name, password)
        elif body.mechanism == EXTERNAL:
            self._log_in(connection.transport.certificate_name or "", None)
        elif body.mechanism == ANONYMOUS:
            self._log_in(connection.settings.anonymous_user, None)
        else:
            self._scram = ScramSha256(connection.broker.users)
            if response:
                self._answer(self._scram, response)
            else:
                self._send(sasl.SaslChallenge())

    def _answer(self, scram: ScramSha256, response: bytes) -> None:
        try:
            step = scram.answer(response)
        except ScramRefused as error:
            self._refused(LoginRefused("", str(error)), error.name)
            return
        if step.user is None:
            self._send(sasl.SaslChallenge(step.data))
        else:
            self._log_in(step.user, None, proved_here=True, last=step.data)

    def _log_in(self, name: str, password: str | None, *, proved_here: bool = False, last: bytes | None = None) -> None:
        connection = self._connection

        def attempt() -> None:
            try:
                user = log_in(
                    connection.broker,
                    connection.transport,
                    name,
                    password,
                    connection.agreed.mechanism,
                    proved_here=proved_here,
                )
            except LoginRefused as error:
                self._refused(error, name)
                return
            let_in(connection.broker, connection.transport, ATTEMPTS_LABEL, user.name)
            self._user = user
            self.awaits_header = True
            self._send(sasl.SaslOutcome(sasl.OK, last))

        self._ask(attempt)

    def _without_sasl(self) -> None:
        connection = self._connection
        connection.agreed.mechanism = ANONYMOUS

        def attempt() -> None:
            try:
                self._secured(
                    log_in(connection.broker, connection.transport, connection.settings.anonymous_user, None, ANONYMOUS)
                )
            except LoginRefused as error:
                name = connection.settings.anonymous_user
                connection.authentication_failed(error, name, lambda: connection.outbox.write(SASL_HEADER))

        self._ask(attempt)

    def _ask(self, attempt: Callable[[], None]) -> None:
        try:
            attempt()
        except Unanswered as unanswered:
            self._connection.asking_rights.when_answered(unanswered, attempt)

    def _secured(self, user: User) -> None:
        """open is due."""
        connection = self._connection
        connection.agreed_user = user
        connection.sasl = None
        connection.state = "opening"
        connection.outbox.write(AMQP_HEADER)

    def _refused(self, error: LoginRefused, user: str = "") -> None:
        self._connection.authentication_failed(error, user, lambda: self._send(sasl.SaslOutcome(sasl.AUTH)))

    def _send(self, body: object) -> None:
        self._connection.outbox.write(frame(0, body, SASL_FRAME))

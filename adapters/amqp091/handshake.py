"""From the first byte to connection.open-ok (AMQP 0-9-1 2.2.4, 4.2.2; spec A.3).

    header -> start -> start-ok [-> secure -> secure-ok]* -> tune -> tune-ok -> open -> open-ok

Which header is served:

    AMQP 0 0 9 1   0-9-1
    AMQP 1 1 0 9   0-9, which is 0-9-1 but for what nobody uses
    AMQP 1 1 8 0   0-8, translated by methods_legacy.py
    AMQP 1 1 9 1   py-amqplib, which speaks 0-8 all the same

Other versions are other protocols' (other_versions.py).  Anything else gets `AMQP 0 0 9 1` and a closed socket, which
is what a client needs to explain itself.  Clients of the older headers get server-properties of long strings and
nothing else.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.agreed import Agreed
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    FRAME_MAX_DEFAULT_BYTES,
    FRAME_MAX_LEAST_BYTES,
    FRAME_OVERHEAD_BYTES,
    PROTOCOL_HEADER,
)
from warren.adapters.amqp091.frames import unexpected_method
from warren.adapters.amqp091.sasl import Challenge, Mechanisms, Outcome, Vouched, standard_mechanisms
from warren.adapters.interface import Beginning
from warren.adapters.session.admission import LoginRefused, Source, enter, let_in, log_in, refused
from warren.core.errors import AccessRefused, ChannelError, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.amqp091.connection import Connection
    from warren.core.access.accounts import User
    from warren.core.messages.field_table import FieldValue

HEADER_0_9: Final = b"AMQP\x01\x01\x00\x09"
HEADER_PY_AMQPLIB: Final = b"AMQP\x01\x01\x09\x01"
HEADER_0_8: Final = b"AMQP\x01\x01\x08\x00"
LEGACY: Final = (HEADER_0_8, HEADER_PY_AMQPLIB)
SERVED: Final = (PROTOCOL_HEADER, HEADER_0_9, *LEGACY)

ATTEMPTS_LABEL: Final = "amqp091"
"""How RabbitMQ calls the protocol where it counts logins."""

CHANNELS_LEAST: Final = 1
"""A connection without any channel is of no use; 0 is no limit."""

CAPABILITIES: Final[tuple[str, ...]] = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)


class Handshake:
    """The state of a connection that is not open yet, by the name that listings show.

    agreed: what it finds out, and what stays of it.
    """

    __slots__ = ("_answer", "_connection", "_header_seen", "_mechanisms", "_user", "_waiting_for", "agreed", "state")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.agreed = Agreed(connection.settings.channel_max)
        self.state = "starting"
        self._header_seen = False
        self._waiting_for: type[methods.Method] = methods.ConnectionStartOk
        settings = connection.settings
        self._mechanisms = (
            standard_mechanisms(settings.anonymous_user, settings.auth_mechanisms)
            if settings.nodes is None
            else Mechanisms(settings.nodes.mechanisms())
        )
        self._answer: Callable[[bytes], Outcome] | None = None
        self._user: User | None = None

    def header(self, data: bytes) -> int:
        """Look for the protocol header at the beginning of `data`; how many bytes of it are done with."""
        if self._header_seen:
            return 0
        connection = self._connection
        start = data[: len(PROTOCOL_HEADER)]
        if start in SERVED:
            self._header_seen = True
            self._start(start)
            return len(PROTOCOL_HEADER)
        judged, accept = Beginning.OTHER, None
        if connection.settings.other_versions is not None:
            judged, accept = connection.settings.other_versions.find(start)
        if accept is not None:
            connection.hand_over(accept, data)
            return len(data)
        if judged is not Beginning.MORE and not any(header.startswith(start) for header in SERVED):
            connection.refuse_protocol(start, data)
            return len(data)
        return 0

    @property
    def header_seen(self) -> bool:
        """False while the protocol header isn't complete: there are no frames to look for yet."""
        return self._header_seen

    def method(self, method: methods.Method) -> None:
        """A method on channel 0: the one that is due, or ChannelError (504)."""
        if not isinstance(method, self._waiting_for):
            raise ChannelError(
                f"{unexpected_method(self.state)}; {method.NAME} came, waiting for {self._waiting_for.NAME}"
            )
        if isinstance(method, methods.ConnectionStartOk):
            self._start_ok(method)
        elif isinstance(method, methods.ConnectionSecureOk):
            if self._answer is not None:
                try:
                    outcome = self._answer(method.response)
                except LoginRefused as error:
                    self._connection.authentication_failed(error, self.agreed.mechanism)
                    return
                self._take(outcome)
        elif isinstance(method, methods.ConnectionTuneOk):
            self._tune_ok(method)
        elif isinstance(method, methods.ConnectionOpen):
            self._open(method)

    def _start(self, header: bytes) -> None:
        connection = self._connection
        settings = connection.settings
        if header in LEGACY:
            connection.use_legacy_dialect()
        properties: dict[str, FieldValue] = {
            "product": settings.product,
            "version": settings.version,
            "platform": f"Python {platform.python_version()}",
            "copyright": "Copyright the Warren developers",
            "information": "Licensed under Apache-2.0",
            "cluster_name": settings.cluster_name,
            "warren": settings.own_version,
        }
        if header == PROTOCOL_HEADER:
            properties["capabilities"] = dict.fromkeys(CAPABILITIES, True)
        connection.send(
            0,
            methods.ConnectionStart(0, 9, properties, self._mechanisms.offer(connection.transport), b"en_US"),
        )

    def _start_ok(self, method: methods.ConnectionStartOk) -> None:
        agreed = self.agreed
        agreed.client_properties = method.client_properties
        capabilities = method.client_properties.get("capabilities")
        if isinstance(capabilities, dict):
            agreed.capabilities = frozenset(name for name, value in capabilities.items() if value is True)
        name = method.client_properties.get("connection_name")
        if isinstance(name, str):
            agreed.provided_name = name
        agreed.mechanism = method.mechanism
        mechanism = self._mechanisms.find(method.mechanism)
        try:
            outcome = mechanism.start(method.response, self._connection.transport)
        except LoginRefused as error:
            self._connection.authentication_failed(error, method.mechanism)
            return
        except AccessRefused:
            refused(self._connection.broker, Source(ATTEMPTS_LABEL, self._connection.transport.peer_host, ""))
            raise
        self._take(outcome)

    def _take(self, outcome: Outcome) -> None:
        connection = self._connection
        if isinstance(outcome, Challenge):
            self.state = "securing"
            self._answer = outcome.answer
            self._waiting_for = methods.ConnectionSecureOk
            connection.send(0, methods.ConnectionSecure(outcome.question))
            return
        if isinstance(outcome, Vouched):
            self._user = outcome.user
        else:
            try:
                self._user = log_in(
                    connection.broker, connection.transport, outcome.user, outcome.password, self.agreed.mechanism
                )
            except LoginRefused as error:
                connection.authentication_failed(error, outcome.user)
                return
        let_in(connection.broker, connection.transport, ATTEMPTS_LABEL, self._user.name)
        settings = connection.settings
        self.state = "tuning"
        self._waiting_for = methods.ConnectionTuneOk
        connection.send(0, methods.ConnectionTune(settings.channel_max, settings.frame_max_bytes, settings.heartbeat_s))

    def _tune_ok(self, method: methods.ConnectionTuneOk) -> None:
        agreed = self.agreed
        settings = self._connection.settings
        frame_max = _negotiate("frame_max", method.frame_max, FRAME_MAX_LEAST_BYTES, settings.frame_max_bytes)
        agreed.frame_max = frame_max or max(FRAME_MAX_DEFAULT_BYTES, settings.message_bytes_max + FRAME_OVERHEAD_BYTES)
        agreed.channel_max = _negotiate("channel_max", method.channel_max, CHANNELS_LEAST, settings.channel_max)
        agreed.heartbeat_s = method.heartbeat
        self.state = "opening"
        self._waiting_for = methods.ConnectionOpen

    def _open(self, method: methods.ConnectionOpen) -> None:
        connection = self._connection
        if self._user is None:
            raise ChannelError("connection.open before authentication")
        try:
            client = enter(
                connection.broker,
                connection.transport,
                self._user,
                method.virtual_host,
                "AMQP 0-9-1",
                self.agreed.client_properties,
                has_channels=True,
                client_id=self.agreed.provided_name,
            )
        except NotAllowed as error:
            error.advice = f"user '{self._user.name}' logged in"
            raise
        connection.send(0, methods.ConnectionOpenOk())
        connection.opened(client)


def _negotiate(name: str, wanted: int, minimum: int, maximum: int) -> int:
    """The client's value if it is within the server's bounds; 0 means no limit on either side (spec A.3.6).

    NotAllowed (530) for another, so 0 too, unless the server has no limit either.
    """
    if wanted and wanted < minimum:
        raise NotAllowed(f"negotiated {name} = {wanted} is lower than the minimum allowed value ({minimum})")
    if maximum and (not wanted or wanted > maximum):
        shown = f"{wanted} (no limit)" if name == "channel_max" and not wanted else str(wanted)
        raise NotAllowed(f"negotiated {name} = {shown} is higher than the maximum allowed value ({maximum})")
    return wanted

"""The authentication mechanisms of connection.start-ok, without I/O (RFC 4422; spec A.3).

A mechanism turns the client's response into Credentials, which say who the client claims to be and how that
is to be checked, or into a Challenge, which carries the question for connection.secure and what to do with
the answer.  Whether the credentials are right is for the access registry.  Mechanisms hold no state of a
connection, so one set of them serves all.

    PLAIN      NUL user NUL password (RFC 4616); an authorization identity in front is refused
    AMQPLAIN   a field table without its length, with LOGIN and PASSWORD
    EXTERNAL   the name in the peer's TLS certificate
    ANONYMOUS  the configured user, whatever the response says

The texts of errors never repeat a response.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from warren.adapters.amqp091.codec.constants import AUTH_MECHANISMS
from warren.core.errors import AccessRefused, CommandInvalid, MalformedField, Scope
from warren.core.frozen import frozen
from warren.core.messages.field_table import FieldTable, decode_table_body

if TYPE_CHECKING:
    from warren.core.access.accounts import User


class Peer(Protocol):
    """What a mechanism may know of the other end of the connection."""

    @property
    def certificate_name(self) -> str | None:
        """The user name in the peer's verified TLS certificate; None when there is none."""


@frozen
class Credentials:
    """Who the client says it is.

    password: what has to be checked, UTF-8 with surrogateescape; None when the mechanism itself vouches for
    the user, who then only has to exist.
    """

    user: str
    password: str | None = field(default=None, repr=False)


@frozen
class Challenge:
    """A question for connection.secure; `answer` takes the response of connection.secure-ok."""

    question: bytes
    answer: Callable[[bytes], Outcome]


@frozen
class Vouched:
    """A login that the mechanism has made itself: nobody else is asked."""

    user: User


Outcome: TypeAlias = "Credentials | Challenge | Vouched"


class Mechanism(Protocol):
    """One way to say who you are."""

    @property
    def name(self) -> str:
        """The name under which it is offered and chosen."""

    def offered_to(self, peer: Peer) -> bool:
        """Whether connection.start lists it for this peer."""

    def start(self, response: bytes, peer: Peer) -> Outcome:
        """Take the response of connection.start-ok.

        Raises MalformedField for a response that isn't one of this mechanism, AccessRefused when it can't
        vouch for the peer.
        """


class Plain:
    """RFC 4616, with an empty authorization identity."""

    name: ClassVar[str] = "PLAIN"

    def offered_to(self, peer: Peer) -> bool:
        return True

    def start(self, response: bytes, peer: Peer) -> Outcome:
        parts = response.split(b"\0")
        if len(parts) != 3 or parts[0]:
            raise MalformedField("PLAIN response has to be NUL, user name, NUL, password")
        return Credentials(_text(parts[1]), _text(parts[2]))


class AmqPlain:
    """The mechanism of AMQP 0-8 and 0-9: LOGIN and PASSWORD in a field table that has no length."""

    name: ClassVar[str] = "AMQPLAIN"

    def offered_to(self, peer: Peer) -> bool:
        return True

    def start(self, response: bytes, peer: Peer) -> Outcome:
        try:
            table = decode_table_body(response)
        except MalformedField:
            raise MalformedField("AMQPLAIN response isn't a field table without length") from None
        return Credentials(_amqplain_field(table, "LOGIN"), _amqplain_field(table, "PASSWORD"))


class External:
    """The name in the TLS certificate; the response, which may name the same, isn't read."""

    name: ClassVar[str] = "EXTERNAL"

    def offered_to(self, peer: Peer) -> bool:
        return peer.certificate_name is not None

    def start(self, response: bytes, peer: Peer) -> Outcome:
        name = peer.certificate_name
        if name is None:
            raise AccessRefused(
                "EXTERNAL needs a TLS connection with a client certificate that names a user",
                Scope.CONNECTION,
            )
        return Credentials(name)


class Anonymous:
    """Everybody who asks is the one user that the configuration names (RFC 4505)."""

    name: ClassVar[str] = "ANONYMOUS"

    def __init__(self, user: str) -> None:
        self._user = user

    def offered_to(self, peer: Peer) -> bool:
        return True

    def start(self, response: bytes, peer: Peer) -> Outcome:
        return Credentials(self._user)


class Mechanisms:
    """The mechanisms that a listener accepts, in the order in which they are offered."""

    def __init__(self, mechanisms: Sequence[Mechanism]) -> None:
        self._by_name = {mechanism.name: mechanism for mechanism in mechanisms}

    def offer(self, peer: Peer) -> bytes:
        """The names for connection.start, separated by spaces."""
        return b" ".join([each.name.encode() for each in self._by_name.values() if each.offered_to(peer)])

    def find(self, name: str) -> Mechanism:
        """The mechanism that the client chose; CommandInvalid when there is none of this name."""
        mechanism = self._by_name.get(name)
        if mechanism is None:
            raise CommandInvalid(f"unknown authentication mechanism '{name}'")
        return mechanism


def standard_mechanisms(anonymous_user: str | None = None, allowed: Collection[str] = AUTH_MECHANISMS) -> Mechanisms:
    """PLAIN, AMQPLAIN, EXTERNAL for peers with a certificate, and ANONYMOUS when a user is named for it.

    allowed: of the first three, those that there are.
    """
    mechanisms: list[Mechanism] = [each for each in (Plain(), AmqPlain(), External()) if each.name in allowed]
    if anonymous_user is not None:
        mechanisms.append(Anonymous(anonymous_user))
    return Mechanisms(mechanisms)


def _amqplain_field(table: FieldTable, key: str) -> str:
    value = table.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _text(value)
    raise MalformedField(f"AMQPLAIN response has no string field {key}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")

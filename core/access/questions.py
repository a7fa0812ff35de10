"""What is asked of those who know users, and what they answer.

Warren's own users (`internal.py`) answer at once.  Others are asked over a network (docs/authentication.md), so what is
asked is a value: it can be kept with its answer, and asked for several who wait (answers.py).

    Login      who is this?                          an Identity, or Denied
    MayEnter   may they enter a virtual host?        True, or Denied
    MayUse     may they do this to a queue or exchange?
    MayUseTopic    may they use this routing key with a topic exchange?
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from warren.core.access.permissions import ResourceKind, Verb
from warren.core.access.topic_permissions import TopicVerb
from warren.core.frozen import frozen

_DIGEST_KEY: Final = os.urandom(32)
"""Of this process: what is kept of a secret is of no use elsewhere."""


class Secret:
    """A password or token.  Two are equal if their texts are, of which only a keyed digest is compared."""

    __slots__ = ("_digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        encoded = text.encode("utf-8", "surrogateescape")
        self._digest = hashlib.blake2b(encoded, key=_DIGEST_KEY, digest_size=32).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return "Secret(...)"

    def without_text(self) -> Secret:
        """The same to compare with, which can't be read any more."""
        copy = Secret("")
        copy._digest = self._digest
        return copy


@frozen
class Identity:
    """Who somebody is, as a back-end says.

    expires_at_ms: when that stops being true, in milliseconds since 1970; None for never.  state: what the back-end
    wants to be told with further questions, such as a token's claims; it can be hashed.
    """

    name: str
    tags: frozenset[str] = frozenset()
    expires_at_ms: int | None = None
    state: object = None


class Login(NamedTuple):
    """secret: None where the protocol vouches for the name, as with certificates.  properties: what the protocol knows
    besides, such as `client_id` and `vhost` with MQTT.
    """

    name: str
    secret: Secret | None
    properties: tuple[tuple[str, str], ...] = ()


class MayEnter(NamedTuple):
    """peer_host: the address that they come from."""

    who: Identity
    vhost: str
    peer_host: str


class MayUse(NamedTuple):
    """kind, name: the exchange without a name is called `amq.default`."""

    who: Identity
    vhost: str
    kind: ResourceKind
    name: str
    verb: Verb


class MayUseTopic(NamedTuple):
    """variables: what expressions may name, such as `client_id`; names and values."""

    who: Identity
    vhost: str
    exchange: str
    routing_key: str
    verb: TopicVerb
    variables: tuple[tuple[str, str], ...] = ()


Question: TypeAlias = Login | MayEnter | MayUse | MayUseTopic


@frozen
class Denied:
    """No.

    reason: for the log.  failed: the back-end couldn't answer, which isn't kept, and ends nothing that goes on.
    """

    reason: str
    failed: bool = False


Answer: TypeAlias = Identity | Literal[True] | Denied


class BackEnd(ABC):
    """Somebody who knows users.  name: as it stands in `auth_backends`."""

    name: str

    def at_once(self, question: Question) -> Answer | None:
        """The answer where no waiting is needed for it; None where it has to be asked for."""
        return None

    @abstractmethod
    def ask(self, question: Question, answered: Callable[[Answer], None]) -> None:
        """Find out, and call `answered`, once, now or later; never raises, and always answers in the end."""


def properties_of(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """As they stand in a question, in one order."""
    return tuple(sorted(variables.items()))

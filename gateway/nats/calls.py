"""Requests as values: what to send, and what to make of the answers.  Both clients, on Trio and blocking, take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from warren.gateway.nats.codec import Message
from warren.gateway.nats.errors import NoResponders
from warren.gateway.nats.headers import NO_RESPONDERS, Headers, decode_headers

T_co = TypeVar("T_co", covariant=True)

_NO_HEADERS = Headers()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    headers: Headers
    payload: bytes


def is_whole(reply: Reply) -> bool:
    """Of a request with one answer: it is the last one."""
    return True


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """A request.

    answer: what it comes to, given all answers; may raise NatsError.  is_last: whether no answer follows this one.
    repeatable: to do it twice does no harm, so it is sent again where a connection ends before the answer.
    patient: while nobody is there to answer, it is sent again for a while.
    """

    subject: str
    payload: bytes
    answer: Callable[[Sequence[Reply]], T_co]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_last: Callable[[Reply], bool] = is_whole
    repeatable: bool = True
    patient: bool = True


def reply_of(message: Message, subject: str) -> Reply:
    """A message as an answer.  subject: where the request went, for the error.  Raises NoResponders."""
    headers = decode_headers(message.headers) if message.headers else _NO_HEADERS
    if headers.status == NO_RESPONDERS and not message.payload:
        raise NoResponders(f"nobody answers at {subject}")
    return Reply(headers, message.payload)

"""Words about super streams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import VHOST, Option, Remote, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.storage.definitions.store import JSON

PARTITIONS: Final = Option("partitions", "NUMBER")
BINDING_KEYS: Final = Option("binding_keys", "KEY,KEY...")
ROUTING_KEYS: Final = Option("routing_keys", "KEY,KEY...")

PARTITIONS_DEFAULT: Final = 3
"""RabbitMQ's."""

_DIGITS_MAX: Final = 12
"""More digits are no number that is meant, and int() needn't see them."""

_DAY: Final = 86400
_YEAR: Final = 365 * _DAY
_MONTH: Final = 30 * _DAY

_DURATION: Final = re.compile(
    r"P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)
_SECONDS: Final = (_YEAR, _MONTH, 7 * _DAY, _DAY, 3600, 60, 1)


@word(
    "SUPER_STREAM",
    "make a super stream: partitions, and the exchange that leads to them",
    "Adding a super stream ...",
    options=(
        VHOST,
        PARTITIONS,
        BINDING_KEYS,
        ROUTING_KEYS,
        Option("max_length_bytes", "SIZE"),
        Option("max_age", "DURATION"),
        Option("stream_max_segment_size_bytes", "SIZE"),
        Option("leader_locator", "WHERE"),
        Option("initial_cluster_size", "NUMBER"),
    ),
    example="measurements --partitions 6 --max-age P7D",
)
async def add_super_stream(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does."""
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    name = request.arguments[0]
    partitions, keys = _partitions(request, name)
    steps = operations.super_streams.create(control.broker, request.vhost, name, partitions, keys, _arguments(request))
    await in_turns(steps)
    return done(f"Super stream {name} has been created")


@word(
    "SUPER_STREAM",
    "delete a super stream with all its partitions and their messages",
    "Deleting super stream {0} ...",
    options=(VHOST,),
    example="measurements",
)
async def delete_super_stream(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does."""
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    name = request.arguments[0]
    count = await in_turns(operations.super_streams.delete(control.broker, request.vhost, name))
    return done(f"Super stream {name} has been deleted with {count} partitions")


@word(
    "[COLUMN]...",
    "super streams of a virtual host",
    "Listing super streams of vhost {vhost} ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="name partitions",
    lists="super_streams",
)
async def list_super_streams(control: Control, request: Request) -> Answer:
    """Warren's own; the columns are those of core.administration.listing.super_streams."""
    return await listing(control, "super_streams", request.arguments, vhost=request.vhost)


def _partitions(request: Request, name: str) -> tuple[list[str], list[str]]:
    """Names and routing keys of the partitions."""
    from warren.core.administration.operations import super_streams

    options = request.options
    given = [option.flag for option in (PARTITIONS, BINDING_KEYS, ROUTING_KEYS) if options.get(option.name) is not None]
    if len(given) > 1:
        raise RefusedError(f"{' and '.join(given)} can't be given together: each says which there are", codes.USAGE)
    keys = options.get(BINDING_KEYS.name) or options.get(ROUTING_KEYS.name)
    if keys is not None:
        found = [key.strip() for key in str(keys).split(",") if key.strip()]
        return super_streams.by_keys(name, found)
    number = _number(options.get(PARTITIONS.name, PARTITIONS_DEFAULT), "partitions")
    return super_streams.numbered(name, number)


def _arguments(request: Request) -> dict[str, JSON]:
    """Of each partition."""
    found: dict[str, JSON] = {}
    readers: dict[str, tuple[str, Callable[[object, str], JSON]]] = {
        "max_length_bytes": ("x-max-length-bytes", _size),
        "max_age": ("x-max-age", _age),
        "stream_max_segment_size_bytes": ("x-stream-max-segment-size-bytes", _size),
        "leader_locator": ("x-queue-leader-locator", _text),
        "initial_cluster_size": ("x-initial-cluster-size", _number),
    }
    for option, (argument, read) in readers.items():
        value = request.options.get(option)
        if value is not None:
            found[argument] = read(value, option)
    return found


def _number(value: object, option: str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX and int(text)):
        raise RefusedError(f"--{option.replace('_', '-')} is '{text}', which is no number from 1 on", codes.USAGE)
    return int(text)


def _size(value: object, option: str) -> int:
    from warren.core.configuration.values import information_unit

    return _number(information_unit(str(value)), option)


def _text(value: object, option: str) -> str:
    return str(value)


def _age(value: object, option: str) -> str:
    """A duration of ISO 8601, or as an argument has it, in the argument's words."""
    from warren.core.policy_setting import age_ms

    text = str(value)
    if age_ms(text) is not None:
        return text
    found = _DURATION.fullmatch(text)
    seconds = sum(int(part or 0) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True)) if found else 0
    if not seconds:
        raise RefusedError(
            f"--max-age is '{text}', which is no duration such as PT10M30S for 10 minutes 30 seconds, P5DT8H for 5 "
            "days 8 hours, or 7D",
            codes.USAGE,
        )
    return f"{seconds}s"

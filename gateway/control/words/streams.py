"""Words about streams: what they note, and groups of single active consumers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table
from warren.gateway.control.word import VHOST, Option, Remote, word

STREAM: Final = Option("stream", "STREAM")
REFERENCE: Final = Option("reference", "REFERENCE")

_TRACKED: Final = ("type", "name", "tracking_value")
_MEMBERS: Final = ("subscription_id", "connection_name", "state")


@word(
    "STREAM [COLUMN]...",
    "what a stream keeps of readers and publishers: offsets, and last publishing ids",
    "Listing tracking information for stream {0} in vhost {vhost} ...",
    options=(VHOST, Option("all"), Option("offset"), Option("writer")),
    remote=Remote.MANAGEMENT,
    example="measurements --offset",
)
async def list_stream_tracking(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does; all of it is shown unless one of --offset and --writer is given."""
    from warren.core.administration import operations

    name, *columns = request.arguments
    wanted = [kind for kind in ("offset", "writer") if request.options.get(kind)]
    shown = wanted if wanted and not request.options.get("all") else ["offset", "writer"]
    found = operations.streams.tracking(control.broker, request.vhost, name)
    return _rows(_TRACKED, columns, [tuple(each) for each in found if each.kind in shown])


@word(
    "",
    "have a reader of a stream begin at offset 0 again",
    "Resetting stored offset ...",
    options=(VHOST, STREAM, REFERENCE),
    example="--stream measurements --reference billing",
)
def reset_offset(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does."""
    from warren.core.administration import operations

    stream, reference = _needed(request)
    operations.streams.reset_offset(control.broker, request.vhost, stream, reference)
    return done("OK")


@word(
    "[COLUMN]...",
    "who reads streams by the stream protocol, and how far behind the end",
    "Listing stream consumers ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="stream subscription_id offset offset_lag",
    lists="stream_consumers",
)
async def list_stream_consumers(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of adapters.stream.listing_of_streams."""
    return await listing(control, "stream_consumers", request.arguments, vhost=request.vhost)


@word(
    "[COLUMN]...",
    "who publishes to streams by the stream protocol",
    "Listing stream publishers ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="stream publisher_id reference messages_published messages_confirmed",
    lists="stream_publishers",
)
async def list_stream_publishers(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the columns are those of adapters.stream.listing_of_streams."""
    return await listing(control, "stream_publishers", request.arguments, vhost=request.vhost)


@word(
    "[COLUMN]...",
    "groups of single active consumers of streams",
    "Listing stream consumer groups ...",
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="stream reference",
    lists="stream_consumer_groups",
)
async def list_stream_consumer_groups(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does; the columns are those of core.administration.listing.stream_groups."""
    return await listing(control, "stream_consumer_groups", request.arguments, vhost=request.vhost)


@word(
    "[COLUMN]...",
    "the consumers of such a group",
    "Listing group consumers ...",
    options=(VHOST, STREAM, REFERENCE),
    remote=Remote.MANAGEMENT,
    example="--stream measurements --reference billing",
)
async def list_stream_group_consumers(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does."""
    from warren.core.administration import operations

    stream, reference = _needed(request)
    group = operations.streams.group(control.broker, request.vhost, stream, reference)
    found: list[tuple[object, ...]] = [
        (each.subscription_id, each.connection, each.state.value) for each in group.members
    ]
    return _rows(_MEMBERS, request.arguments, found)


@word(
    "",
    "have it decided again which consumer of such a group is active",
    "Activating a consumer in the group ...",
    options=(VHOST, STREAM, REFERENCE),
    example="--stream measurements --reference billing",
)
def activate_stream_consumer(control: Control, request: Request) -> Answer:
    """As `rabbitmq-streams` does."""
    from warren.core.administration import operations

    stream, reference = _needed(request)
    operations.streams.activate(control.broker, request.vhost, stream, reference)
    return done("OK")


def _needed(request: Request) -> tuple[str, str]:
    """The stream and the reference, which both have to be given."""
    stream, reference = (request.options.get(option.name) for option in (STREAM, REFERENCE))
    if stream is None or reference is None:
        raise RefusedError(f"{STREAM.flag} and {REFERENCE.flag} are needed", codes.USAGE)
    return str(stream), str(reference)


def _rows(known: tuple[str, ...], asked: Sequence[str], found: list[tuple[object, ...]]) -> Answer:
    """The asked columns of each row; all where none is asked for."""
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise RefusedError(f"no column '{unknown[0]}'; there are {', '.join(known)}", codes.USAGE)
    columns = asked or list(known)
    return table(columns, [dict(zip(known, row, strict=True)) for row in found])

"""Route, Partitions, CreateSuperStream, DeleteSuperStream: streams of streams (core/declaring/super_streams.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stream.codec.commands import (
    CreateSuperStream,
    DeleteSuperStream,
    Partitions,
    PartitionsAnswer,
    Route,
    RouteAnswer,
)
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.managing import arguments_of
from warren.adapters.stream.refusals import refusal_of
from warren.core.declaring import super_streams
from warren.core.errors import AccessRefused, BrokerError

if TYPE_CHECKING:
    from collections.abc import Generator

    from warren.adapters.stream.session import StreamSession
    from warren.core.access.permissions import ResourceKind


def route(session: StreamSession, command: Route) -> None:
    """The partitions that a key leads to; whoever asks may write to all of them."""
    client = session.logged_in
    client.check("exchange", command.super_stream, "write")
    found = super_streams.routes_to(client.vhost, command.super_stream, command.routing_key)
    for name in found:
        client.check("queue", name, "write")
    session.send(RouteAnswer(command.correlation_id, Code.OK, found))


def partitions(session: StreamSession, command: Partitions) -> None:
    """All partitions, in order; whoever asks may read or write each."""
    _check_read_or_write(session, "exchange", command.super_stream)
    found = [queue.name for queue in super_streams.partitions_of(session.logged_in.vhost, command.super_stream)]
    for name in found:
        _check_read_or_write(session, "queue", name)
    session.send(PartitionsAnswer(command.correlation_id, Code.OK, found))


def create_super_stream(session: StreamSession, command: CreateSuperStream) -> None:
    """Make it as a whole; it is answered when all of it is there."""
    client = session.logged_in
    arguments = arguments_of(command.arguments)
    try:
        super_streams.check_creation(client, command.name, command.partitions, command.binding_keys, arguments)
    except super_streams.AlreadyThere as error:
        raise Refused(Code.STREAM_EXISTS, error.text) from None
    work = super_streams.create(client.vhost, command.name, command.partitions, command.binding_keys, arguments)
    _to_the_end(session, command, work)


def delete_super_stream(session: StreamSession, command: DeleteSuperStream) -> None:
    """Delete it with all partitions; publishers and subscribers of those are told."""
    client = session.logged_in
    found = super_streams.check_deletion(client, command.name)
    _to_the_end(session, command, super_streams.delete(client.vhost, command.name, found))


def _to_the_end(
    session: StreamSession,
    command: CreateSuperStream | DeleteSuperStream,
    work: Generator[None, None, object],
) -> None:
    """Do the work, the rest of it in later turns, and answer then; it goes to its end, whoever is there to be told."""

    def do_slice() -> bool:
        refused: Refused | None = None
        try:
            next(work)
        except StopIteration:
            pass
        except super_streams.AlreadyThere as there:
            refused = Refused(Code.STREAM_EXISTS, there.text)
        except BrokerError as error:
            refused = refusal_of(error)
        else:
            return True
        if session.client is not None:
            session.broker.unkept.hold(session.outbox)
            if refused is None:
                session.ok(command)
            else:
                session.refuse(command, refused)
        return False

    if do_slice():
        session.broker.chores.add(do_slice, to_the_end=True)


def _check_read_or_write(session: StreamSession, kind: ResourceKind, name: str) -> None:
    """AccessRefused where neither is allowed."""
    client = session.logged_in
    try:
        client.check(kind, name, "read")
    except AccessRefused:
        client.check(kind, name, "write")

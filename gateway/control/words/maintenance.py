"""Words that keep clients out for a while: for maintenance, and before a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import word

if TYPE_CHECKING:
    from warren.gateway.cluster.node import ClusterNode

DRAIN_REASON: Final = "CONNECTION_FORCED - the broker is put into maintenance mode"


@word(
    "",
    "refuse clients' connections until resume_listeners; those that are there stay, and so do http and metrics",
    "Suspending listeners of the broker on {directory} ...",
)
def suspend_listeners(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    control.server.accepting.suspend()
    return done()


@word("", "accept them again", "Resuming listeners of the broker on {directory} ...")
def resume_listeners(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    _resume(control)
    return done()


@word(
    "",
    "refuse clients' connections and close those that are there, until revive",
    "Putting the broker on {directory} into maintenance mode ...",
)
async def drain(control: Control, request: Request) -> Answer:
    """As rabbitmq-upgrade does; a node of a cluster hands its shards over.

    Shovels, links and programs around the broker go on, so that what they have under way comes to its end.
    """
    from warren.adapters.direct.session import DirectSession
    from warren.core.administration import operations

    member = cast("ClusterNode | None", control.broker.cluster)
    if member is not None:
        await member.drain()
    control.server.accepting.suspend()
    closed = operations.connections.close_all(
        control.broker, DRAIN_REASON, spares=lambda each: isinstance(each, DirectSession)
    )
    return done(f"Closed {closed} connections")


@word("", "serve clients again", "Ending maintenance mode of the broker on {directory} ...")
async def revive(control: Control, request: Request) -> Answer:
    """As rabbitmq-upgrade does."""
    member = cast("ClusterNode | None", control.broker.cluster)
    if member is not None:
        await member.revive()
    _resume(control)
    return done()


def _resume(control: Control) -> None:
    from warren.core.errors import StorageError

    try:
        control.server.accepting.resume()
    except StorageError as error:
        raise RefusedError(f"not all listeners could be opened again: {error}") from None

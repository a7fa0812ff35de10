"""How a word answers with a listing of core, in turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.gateway.control.json_text import json_text
from warren.gateway.control.target import Answer, Control

if TYPE_CHECKING:
    from warren.core.administration.listing.selecting import Condition

QUEUES: Final = "queues"
"""The listing whose rows stand for queues of other nodes, too."""


async def listing(
    control: Control,
    what: str,
    columns: Sequence[str] = (),
    *,
    vhost: str | None = None,
    user: str | None = None,
    as_text: Sequence[str] = (),
    conditions: Sequence[Condition] = (),
    everywhere: bool = False,
) -> Answer:
    """The rows of a listing (`core.administration.listing`), as a table.

    columns: as they were typed, several in one word or each in its own; those that rabbitmqctl shows without any.
    vhost: only what is in this one.  user: only rows of this one.  as_text: columns shown as JSON.  conditions: what
    rows have to be like.  everywhere: with the rows of the other nodes, in a cluster.  Raises NotFound for an unknown
    virtual host or user, UnknownColumn.
    """
    from warren.core.administration import operations
    from warren.core.administration.listing.selecting import Query, equals, select
    from warren.gateway.turns import in_turns

    broker = control.broker
    if vhost is not None:
        operations.vhosts.existing(broker, vhost)
    if user is not None:
        operations.users.existing(broker, user)
    cluster = broker.cluster
    also = await cluster.rows_elsewhere(what) if everywhere and cluster is not None else ()
    if what == QUEUES and cluster is not None:
        await cluster.count_elsewhere()
    chosen = [part for name in columns for part in name.split(",") if part]
    shown = chosen or broker.listings.kind(what).shown
    query = Query(
        what,
        None if vhost is None else (vhost,),
        shown,
        [*conditions, *([] if user is None else [equals("user", user)])],
        also=also,
    )
    rows = (await in_turns(select(broker, query))).rows
    for row in rows if as_text else ():
        row.update((name, json_text(row[name])) for name in as_text)
    return {"ok": True, "columns": list(shown), "rows": rows}

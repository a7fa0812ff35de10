"""Long work in turns: after each slice everybody else has one, and of all long work one slice is done in a turn.

Trio runs everything that can run before it looks at sockets again, so a hundred requests that each do a slice would
make a turn of a hundred slices.  Who does long work passes a gate before each slice, one at a time, in the order of
coming.
"""

from __future__ import annotations

from typing import Final, TypeVar

import trio
from trio.lowlevel import RunVar

from warren.core.administration.steps import Steps

Result = TypeVar("Result")

_GATE: Final = RunVar[trio.Lock]("warren.gateway.turns")
"""A lock that nobody keeps: having it takes a turn."""


async def give_way() -> None:
    """Before a slice of long work: let others have their turn, and those who did this before their slices.

    It is a checkpoint.
    """
    try:
        gate = _GATE.get()
    except LookupError:
        gate = trio.Lock()
        _GATE.set(gate)
    async with gate:
        pass


async def in_turns(steps: Steps[Result]) -> Result:
    """Do the work slice by slice, giving way to the hub in between; what came of it.  Raises what the work raises.

    It is a checkpoint in any case.  When cancelled, the work is left where it is; it has changed nothing.
    """
    await give_way()
    while steps.step():
        await give_way()
    return steps.result

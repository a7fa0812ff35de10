"""Long work of core in turns: after each slice, everybody else has one."""

from __future__ import annotations

from typing import TypeVar

import trio

from warren.core.administration.steps import Steps

Result = TypeVar("Result")


async def in_turns(steps: Steps[Result]) -> Result:
    """Do the work slice by slice, giving way to the hub in between; what came of it.  Raises what the work raises.

    It is a checkpoint in any case.  When cancelled, the work is left where it is; it has changed nothing.
    """
    while steps.step():
        await trio.lowlevel.checkpoint()
    await trio.lowlevel.checkpoint()
    return steps.result

"""Words on the broker application as a whole; they work whether it runs or not."""

from __future__ import annotations

from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import Option, Remote, word


@word(
    "",
    "close listeners and connections; the process stays",
    "Stopping the broker application on {directory} ...",
    while_stopped=True,
    remote=Remote.NOBODY,
)
async def stop_app(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    await control.server.stop_app()
    return done()


@word(
    "",
    "open them again",
    "Starting the broker application on {directory} ...",
    while_stopped=True,
    remote=Remote.NOBODY,
)
async def start_app(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    await control.server.start_app()
    return done()


@word(
    "",
    "wipe all data, users and virtual hosts (only after stop_app)",
    "Resetting the broker on {directory} ...",
    while_stopped=True,
    remote=Remote.NOBODY,
)
async def reset(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await _reset(control)


@word(
    "",
    "the same, by the name for a node that can't reach its cluster",
    "Resetting the broker on {directory} ...",
    while_stopped=True,
    remote=Remote.NOBODY,
)
async def force_reset(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await _reset(control)


@word(
    "",
    "stop the broker and end its process, and wait for that",
    "Shutting down the broker on {directory} ...",
    options=(Option("no_wait"),),
    while_stopped=True,
    remote=Remote.NOBODY,
    example="--no-wait",
)
def shutdown(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the client waits."""
    control.stop_requested = True
    return done()


@word(
    "[PID_FILE]",
    "stop the broker and end its process",
    "Stopping the broker on {directory} ...",
    while_stopped=True,
    remote=Remote.NOBODY,
)
def stop(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; it is answered first.  The client waits without a file of a process's id, too."""
    control.stop_requested = True
    return done()


async def _reset(control: Control) -> Answer:
    if control.server.running:
        raise RefusedError("the broker application is running; stop it first with: warren ctl stop_app")
    await control.server.reset()
    return done()

"""Words on the broker application as a whole; they work whether it runs or not."""

from __future__ import annotations

from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import Remote, word


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
    if control.server.running:
        raise RefusedError("the broker application is running; stop it first with: warren ctl stop_app")
    await control.server.reset()
    return done()


@word(
    "",
    "stop the broker and end its process",
    "Stopping the broker on {directory} ...",
    while_stopped=True,
    remote=Remote.NOBODY,
)
def stop(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; it is answered first."""
    control.stop_requested = True
    return done()

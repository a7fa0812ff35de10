"""The word that makes a backup of the store while messages go on."""

from __future__ import annotations

from pathlib import Path

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, value
from warren.gateway.control.word import Remote, word


@word(
    "DIRECTORY",
    "copy the broker's store, as it is at this moment, to a new directory, which a broker can be started on",
    "Making a backup of {directory} in {0} ...",
    remote=Remote.NOBODY,
    example="/backups/monday",
)
async def backup_store(control: Control, request: Request) -> Answer:
    """Warren's own; `warren store backup` is the same."""
    import trio

    from warren.core.errors import StorageError
    from warren.gateway.process.settings import ProcessSettings
    from warren.gateway.store_tools.backing_up import Moment

    process = control.config.section(ProcessSettings)
    if process.in_memory or process.data_directory is None:
        raise RefusedError("this broker keeps nothing on disk", codes.UNAVAILABLE)
    target = Path(request.arguments[0])
    if not target.is_absolute():
        raise RefusedError(f"name the directory with its whole path, not '{target}'", codes.DATA)
    control.server.changed()
    await control.server.kept()
    moment = Moment(control.broker, Path(process.data_directory))
    try:
        checked = await trio.to_thread.run_sync(moment.copy_to, target)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(moment.let_go)
    if checked.damage:
        raise StorageError(f"the backup in {target} holds damage, as the store does: {checked.damage[0]}")
    facts = {
        "directory": str(target),
        "definitions": checked.definitions,
        "segments": checked.segments,
        "messages": checked.messages,
        "streams": checked.streams,
        "chunks": checked.chunks,
    }
    text = f"A backup is in {target}: warren serve --data-dir {target} starts a broker on it, or on a copy of it"
    return value(facts, text)

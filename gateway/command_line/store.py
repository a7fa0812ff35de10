"""`warren store`: checking a data directory, making a sound one of a damaged one, and backing one up."""

from __future__ import annotations

from pathlib import Path

from warren.gateway.control import exit_codes as codes


def check(directory: str) -> int:
    """Say what is wrong; 1 when something is.  Raises StorageError."""
    from warren.gateway.store_tools.checking import check_store

    found = check_store(Path(directory).expanduser().absolute())
    for each in found.damage:
        print(f"damage: {each}")
    for each in found.notes:
        print(f"note: {each}")
    print(
        f"{'sound' if found.is_sound else 'damaged'}: {found.definitions} definitions, {found.messages} messages in "
        f"{found.segments} segments, {found.chunks} chunks of {found.streams} streams"
    )
    if not found.is_sound:
        print(f"a sound directory is made by: warren store repair {directory} NEWDIR")
    return codes.OK if found.is_sound else codes.FOUND


def repair(directory: str, target: str) -> int:
    """Make it; 1 when messages are lost for certain.  Raises StorageError."""
    from warren.gateway.store_tools.repairing import repair_store

    where = Path(target).expanduser().absolute()
    repaired = repair_store(Path(directory).expanduser().absolute(), where)
    for each in repaired.found:
        print(f"damage: {each}")
    lost = f", {repaired.lost} that can't be read are lost" if repaired.lost else ""
    print(
        f"{where} is sound: {repaired.messages} messages{lost}; warren serve --data-dir {where} starts a broker on it"
    )
    return codes.OK if not repaired.found else codes.FOUND


def backup(target: str, data_dir: str | None) -> int:
    """Have a running broker make it.  Raises CommandFailedError, ConfigError."""
    from warren.gateway.command_line import ctl

    where = [] if data_dir is None else ["--data-dir", data_dir]
    return ctl.run(["--timeout", "0", *where, "backup_store", str(Path(target).expanduser().absolute())])

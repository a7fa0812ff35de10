"""Files that commands read and write, on the user's side: definitions."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.protocol import CONTENT_BYTES_MAX

STANDARD_STREAM = "-"
"""Stands for standard input or output."""


def read_file(name: str, bytes_max: int = CONTENT_BYTES_MAX) -> bytes:
    """What is in a file, or comes from standard input.  CommandFailedError when it can't be read or is too large."""
    try:
        if name == STANDARD_STREAM:
            content = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with open(name, "rb") as file:
                content = file.read(bytes_max + 1)
    except OSError as error:
        raise CommandFailedError(f"{name}: can't be read: {error.strerror or error}", codes.DATA) from None
    if len(content) > bytes_max:
        raise CommandFailedError(f"{name}: larger than {bytes_max} bytes, which is too large", codes.DATA)
    return content


def read_files(names: Sequence[str]) -> bytes:
    """What is in several files, as a JSON list of texts.  CommandFailedError as for one, or all together too large."""
    texts = [read_file(name).decode("utf-8", "surrogateescape") for name in names]
    content = json.dumps(texts).encode("ascii")
    if len(content) > CONTENT_BYTES_MAX:
        raise CommandFailedError(f"together larger than {CONTENT_BYTES_MAX} bytes, which is too large", codes.DATA)
    return content


def write_file(name: str, value: object) -> None:
    """Write a value as JSON to a file or standard output.  CommandFailedError when it can't be written.

    The file appears when it is complete, for its owner alone: definitions hold hashes of passwords.
    """
    text = json.dumps(value, indent=2) + "\n"
    if name == STANDARD_STREAM:
        sys.stdout.write(text)
        return
    beside = f"{name}.{os.getpid()}.new"
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            # A pipe or a device, such as /dev/stdout.
            with open(name, "w", encoding="ascii") as file:
                file.write(text)
            return
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text)
        os.replace(beside, name)
    except OSError as error:
        if os.path.exists(beside):
            os.unlink(beside)
        raise CommandFailedError(f"{name}: can't be written: {error.strerror or error}", codes.DATA) from None

"""What is wrong with a file of Mosquitto's."""

from __future__ import annotations


class MosquittoFileError(ValueError):
    """A line that can't be taken over; the text says which, why, and what to do."""

    def __init__(self, file: str, line: int, text: str) -> None:
        super().__init__(f"line {line} of the {file}: {text}")

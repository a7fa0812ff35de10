"""One word of `warren ctl`: its arguments, options and help, and the rule that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

VHOST = "vhost"
"""The option -p/--vhost, which most words take."""


@dataclass(frozen=True, slots=True)
class Word:
    """One command.

    announcement: what is printed before the result, with {vhost}, {directory} and the arguments by number.
    options: those that not every word takes.
    secret: the place of a password among the arguments; when it is missing the client asks for it.
    reads_file, writes_file: the first argument is a file of the client, `-` its standard input or output: what is in it
    goes behind the request, or what the answer holds goes into it.
    """

    name: str
    usage: str
    about: str
    announcement: str = ""
    options: frozenset[str] = frozenset()
    secret: int | None = None
    reads_file: bool = False
    writes_file: bool = False

    def check(self, arguments: Sequence[str], options: Sequence[str]) -> None:
        """ValueError says what is wrong with the number of arguments or with an option, and what is right."""
        least, most = self._bounds()
        if not least <= len(arguments) <= most:
            raise ValueError(f"{'not enough' if len(arguments) < least else 'too many'} arguments; {self.line}")
        for option in options:
            if option not in self.options:
                raise ValueError(f"{self.name} doesn't take --{option.replace('_', '-')}; {self.line}")

    @property
    def line(self) -> str:
        """`usage: warren ctl NAME ARGUMENTS [options]`."""
        options = "".join(f" [--{option.replace('_', '-')}]" for option in sorted(self.options))
        return f"usage: warren ctl {self.name}{' ' if self.usage else ''}{self.usage}{options}"

    def _bounds(self) -> tuple[int, int]:
        names = self.usage.split()
        optional = sum(name.startswith("[") for name in names)
        most = 1000 if self.usage.endswith("...") else len(names)
        return len(names) - optional, most

"""Everything that can be typed behind `warren`, as data: for the man page and for shells that complete it.

Commands are what typer has of them (commands.py), words of ctl what they declare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from warren.gateway.command_line.ctl_options import GENERAL
from warren.gateway.command_line.meanings import ARGUMENTS, OPTIONS, Meaning, metavars
from warren.gateway.command_line.word_help import SHORT, columns_of, example_of, sentence
from warren.gateway.control.words.built_in import WORDS

UNKNOWN: Final = Meaning("")
"""Of what meanings.py lacks, which its test finds."""

BEHIND: Final = "COMMAND [ARGUMENTS]..."
"""Of a command that has words of its own."""


class Flag(NamedTuple):
    """An option.  short: such as -p, or nothing.  value: what its value is called; empty for none."""

    long: str
    short: str
    value: str
    meaning: Meaning


class Entry(NamedTuple):
    """A command, or a word.  path: such as `tls dev`.  arguments: as a usage line has them.  takes: what they may be.
    example: what may be typed.
    """

    path: str
    arguments: str
    about: str
    flags: Sequence[Flag]
    takes: Sequence[Meaning]
    example: str = ""


def general_flags() -> list[Flag]:
    """The options of every word of ctl."""
    return [_flag(each.name, each.value) for each in GENERAL]


def words() -> list[Entry]:
    """The words of ctl that Warren brings."""
    found = []
    for word in WORDS.values():
        takes = [ARGUMENTS.get(each, UNKNOWN) for each in metavars(word.usage)]
        if word.lists and "COLUMN" in word.usage:
            takes.append(Meaning("columns", tuple(name for name, _ in columns_of(word.lists))))
        flags = [_flag(each.name, each.value) for each in word.options]
        found.append(Entry(word.name, word.usage, sentence(word.about), flags, takes, example_of(word)))
    return found


def commands() -> list[Entry]:
    """The other commands, those of groups one by one."""
    import typer

    from warren.gateway.command_line.commands import app

    return list(_commands(typer.main.get_command(app), ""))


def _commands(group: Any, front: str) -> Iterator[Entry]:
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from _commands(each, f"{front}{name} ")
        else:
            yield _command(f"{front}{name}", each)


def _command(path: str, command: Any) -> Entry:
    flags, takes, arguments = [], [], []
    for parameter in command.params:
        shown = parameter.metavar or parameter.name.upper()
        meaning = _meaning(shown, getattr(parameter, "help", None) or "")
        if parameter.param_type_name == "argument":
            takes.append(meaning)
            arguments.append(shown if parameter.required else f"[{shown}]")
        else:
            value = "" if parameter.is_flag else shown
            short = next((each for each in parameter.opts if not each.startswith("--")), "")
            flags.append(Flag(parameter.opts[0], short, value, meaning))
    return Entry(
        path, " ".join(arguments).replace("[COMMAND [ARGUMENTS]...]", BEHIND), command.help or "", flags, takes
    )


def _meaning(metavar: str, about: str) -> Meaning:
    known = ARGUMENTS.get(metavar)
    values = tuple(metavar.split("|")) if "|" in metavar else known.values if known is not None else ()
    return Meaning(about, values, metavar.partition("...")[0].strip("[]") in ("FILE", "DIR"))


def _flag(name: str, value: str) -> Flag:
    return Flag("--" + name.replace("_", "-"), SHORT.get(name, ""), value, OPTIONS.get(name, UNKNOWN))

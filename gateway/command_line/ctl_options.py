"""The options of `warren ctl`: those that go with every word, and those that words declare.

They may stand before and behind the word, as with rabbitmqctl: `-x value`, `-xvalue`, `--long value`, `--long=value`,
and several short ones in one (`-qs`).  What follows `--` are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from warren.core.frozen import frozen
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.word import VHOST, Option, Syntax

GENERAL: Final = (
    VHOST,
    Option("data_dir", "DIR"),
    Option("config", "FILE"),
    Option("url", "URL"),
    Option("quiet"),
    Option("silent"),
    Option("no_table_headers"),
    Option("formatter", "FORMATTER"),
    Option("timeout", "SECONDS"),
    Option("node", "NODE"),
    Option("longnames"),
    Option("help"),
)
"""Of every word.  node and longnames are for scripts written for rabbitmqctl and mean nothing here: the data directory
says which broker is meant."""

SHORT: Final = {
    "p": "vhost",
    "q": "quiet",
    "s": "silent",
    "t": "timeout",
    "n": "node",
    "l": "longnames",
    "h": "help",
}

TIMEOUT_DEFAULT_S: Final = 60.0

USAGE: Final = """usage: warren ctl [options] COMMAND [arguments]   (or directly: warren COMMAND)

Options, before or after the command:
  --data-dir DIR           data directory of the broker (default: as for warren serve)
  --config FILE            configuration file that names it
  --url URL                ask over HTTP instead: http://USER:PASSWORD@HOST:15672, as the plugin management answers
  -p, --vhost VHOST        virtual host (default: /)
  -q, --quiet              print only the result
  -s, --silent             print only the result, without column headers
  --no-table-headers       print tables without column headers
  --formatter FORMATTER    table, pretty_table, json, csv or erlang
  -t, --timeout SECONDS    give up after this time (default: 60; 0: never)
  --help                   this text; after a command: its usage"""


@frozen
class Parsed:
    """A command line taken apart: the word with its arguments, and the options by name, True for one without value."""

    words: Sequence[str]
    options: Mapping[str, object]

    @property
    def timeout_s(self) -> float | None:
        """How long to wait for an answer, None for ever.  CommandFailedError for what is no time."""
        given = self.options.get("timeout", TIMEOUT_DEFAULT_S)
        try:
            seconds = float(str(given))
        except ValueError:
            seconds = -1.0
        if not seconds >= 0:
            raise CommandFailedError(f"--timeout must be a number of seconds from 0 on, not '{given}'", codes.USAGE)
        return seconds or None

    @property
    def of_word(self) -> dict[str, object]:
        """The options that the word may have a use for."""
        return {name: value for name, value in self.options.items() if name not in _ONLY_CLIENT}


_ONLY_CLIENT: Final = frozenset(option.name for option in GENERAL) - {VHOST.name}


def parse(arguments: Sequence[str], words: Iterable[Syntax], *, lenient: bool = False) -> Parsed:
    """Take a command line apart, given all words that there may be.

    lenient: take unknown options for ones without a value, to find the word.  Raises CommandFailedError for an unknown
    option, or one that lacks its value or has one too many.
    """
    known = {option.flag: option for syntax in words for option in syntax.options}
    known.update((option.flag, option) for option in GENERAL)
    short = {f"-{letter}": known[Option(name).flag] for letter, name in SHORT.items()}
    found: list[str] = []
    options: dict[str, object] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            found += rest
            break
        if not argument.startswith("-") or argument == "-":
            found.append(argument)
            continue
        flag, value = _split(argument, rest, short)
        option = known.get(flag) or short.get(flag)
        if option is None:
            if not lenient:
                raise CommandFailedError(f"no such option: {flag} (--help tells more)", codes.USAGE)
        elif not option.value:
            if value is not None:
                raise CommandFailedError(f"option {flag} takes no value", codes.USAGE)
            options[option.name] = True
        elif value is not None or rest:
            given = rest.pop(0) if value is None else value
            options[option.name] = [*_so_far(options, option), given] if option.repeats else given
        else:
            raise CommandFailedError(f"option {flag} needs a value, {option.value}", codes.USAGE)
    return Parsed(found, options)


def _so_far(options: Mapping[str, object], option: Option) -> list[object]:
    found = options.get(option.name, [])
    return found if isinstance(found, list) else []


def _split(argument: str, rest: list[str], short: Mapping[str, Option]) -> tuple[str, str | None]:
    """The option at the beginning of `argument` and its value, if it is in there; more short ones go back to `rest`."""
    if argument.startswith("--"):
        flag, equals, value = argument.partition("=")
        return flag, value if equals else None
    flag, more = argument[:2], argument[2:]
    option = short.get(flag)
    if not more or option is None or option.value:
        return (flag if option is not None else argument), more or None
    rest.insert(0, f"-{more}")
    return flag, None

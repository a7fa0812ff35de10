"""`warren ctl WORD ...` on the user's side: check, ask the broker, print."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from warren.gateway.command_line.files import STANDARD_STREAM, read_file, write_file
from warren.gateway.command_line.output import FORMATTERS, MACHINE_READABLE, print_answer
from warren.gateway.configuration.load import ConfigError, load_config
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError, request
from warren.gateway.control.words.table import VHOST, WORDS, Syntax, find_word
from warren.gateway.process.data_directory import is_in_use

_POLL_S = 0.02
"""How often `stop` looks whether the broker has ended: often enough not to be noticed."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command as it was typed.

    words: the command and its arguments.  options: those that were given, by name.  timeout_s: None waits for
    ever.
    """

    words: Sequence[str]
    options: Mapping[str, object] = field(default_factory=dict)
    data_directory: str | None = None
    config_file: str | None = None
    formatter: str | None = None
    quiet: bool = False
    silent: bool = False
    headers: bool = True
    timeout_s: float | None = None


def run(invocation: Invocation) -> None:
    """Carry it out and print the result.  Raises CommandFailedError, with the exit code, or ConfigError."""
    if invocation.formatter not in (None, *FORMATTERS):
        text = f"unknown formatter '{invocation.formatter}'; the formatters are {', '.join(FORMATTERS)}"
        raise CommandFailedError(text, codes.USAGE)
    word, arguments, options = _checked(invocation)
    directory = _directory(invocation)
    file = (arguments.pop() if arguments else STANDARD_STREAM) if word.reads_file or word.writes_file else None
    if word.secret is not None and len(arguments) == word.secret:
        arguments.append(_ask_password())
    if _announces(invocation) and word.announcement and not (word.writes_file and file == STANDARD_STREAM):
        print(_announcement(word, arguments if file is None else [file], options, directory), flush=True)
    content = read_file(file) if file is not None and word.reads_file else None
    sent = arguments if file is None or word.reads_file else [file]
    answer = request(directory, word.name, sent, options, invocation.timeout_s, content)
    if file is not None and word.writes_file:
        write_file(file, answer.get("value"))
        return
    print_answer(answer, invocation.formatter, sys.stdout, headers=invocation.headers, silent=invocation.silent)
    if word.name == "stop":
        _wait_for_end(directory, invocation.timeout_s)


def help_text(words: Sequence[str]) -> str:
    """Help on one word, or on all of them.  Raises CommandFailedError for an unknown one."""
    if words:
        word = _find(words[0])
        return f"{word.line}\n\n{word.about}"
    width = max(len(name) for name in WORDS) + 2
    lines = [f"  {word.name:<{width}}{word.about}" for word in WORDS.values()]
    return "\n".join([_USAGE, "", "Commands:", *lines])


_USAGE = """usage: warren ctl [options] COMMAND [arguments]   (or directly: warren COMMAND)

Options, before or after the command:
  --data-dir DIR           data directory of the broker (default: as for warren serve)
  --config FILE            configuration file that names it
  -p, --vhost VHOST        virtual host (default: /)
  -q, --quiet              print only the result
  -s, --silent             print only the result, without column headers
  --no-table-headers       print tables without column headers
  --formatter FORMATTER    table, pretty_table, json or csv
  -t, --timeout SECONDS    give up after this time (default: 60; 0: never)
  --help                   this text; after a command: its usage"""


def _announcement(word: Syntax, arguments: Sequence[str], options: Mapping[str, object], directory: Path) -> str:
    vhost = options.get(VHOST.name) or "/"
    priority = options.get("priority") or "0"
    return word.announcement.format(*arguments, vhost=vhost, directory=directory, priority=priority)


def _checked(invocation: Invocation) -> tuple[Syntax, list[str], dict[str, object]]:
    """The word, its arguments and the options it takes; -p goes with every word and means nothing to some."""
    name, *arguments = invocation.words
    word = _find(name)
    options = {key: value for key, value in invocation.options.items() if key != VHOST.name or word.takes(key)}
    try:
        word.check(arguments, list(options))
    except ValueError as error:
        raise CommandFailedError(str(error), codes.USAGE) from None
    return word, arguments, options


def _find(name: str) -> Syntax:
    try:
        return find_word(name)
    except ValueError as error:
        raise CommandFailedError(str(error), codes.USAGE) from None


def _directory(invocation: Invocation) -> Path:
    if invocation.data_directory is not None:
        return Path(invocation.data_directory).expanduser().absolute()
    directory = load_config(config_file=Path(invocation.config_file) if invocation.config_file else None)
    if directory.data_directory is None:
        raise ConfigError(
            "the configuration says in_memory and names no data directory, so there is no control socket; "
            "give both to the broker, and --data-dir here"
        )
    return directory.data_directory


def _announces(invocation: Invocation) -> bool:
    return not (invocation.quiet or invocation.silent or invocation.formatter in MACHINE_READABLE)


def _ask_password() -> str:
    """From the terminal without showing it, else the first line of standard input."""
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _wait_for_end(directory: Path, timeout_s: float | None) -> None:
    """Return when the broker has closed its store, so that another one can be started at once."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while is_in_use(directory):
        if deadline is not None and time.monotonic() > deadline:
            text = f"the broker on {directory} is still stopping after {timeout_s:g} seconds"
            raise CommandFailedError(text, codes.TEMPORARY_FAILURE)
        time.sleep(_POLL_S)

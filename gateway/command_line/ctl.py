"""`warren ctl WORD ...` on the user's side: check, ask the broker, print.

The words that Warren brings are known here, by the same declarations as in the broker.  Those of plugins are known to
the broker alone, where the plugins are, so it is asked for them: when a word isn't known here, and for the list of all
words, if a broker runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, cast

from warren.gateway.command_line.ctl_options import USAGE, Parsed, parse
from warren.gateway.command_line.files import STANDARD_STREAM, read_file, read_files, write_file
from warren.gateway.command_line.names import COMMANDS
from warren.gateway.command_line.output import FORMATTERS, MACHINE_READABLE, print_answer
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Api, Where, ask
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.word import VHOST, Syntax
from warren.gateway.control.words.built_in import WORDS, find_word
from warren.gateway.control.words.plugins import list_plugin_words
from warren.gateway.process.data_directory import is_in_use

_POLL_S: Final = 0.02
"""How often `stop` looks whether the broker has ended: often enough not to be noticed."""

ENDS: Final = ("stop", "shutdown")
"""The words after which the process is waited for."""

TAIL: Final = "tail"
TOP: Final = "top"
"""The words that go on until whoever typed them has seen enough."""

VERSION: Final = "version"
"""The word that needs no broker."""

WAITS: Final = ("await_startup", "wait")
"""Those for which there needn't be one yet."""

_HELP_TIMEOUT_S: Final = 2.0
"""How long a list of words waits for those of plugins: nobody has asked for them in particular."""


def run(arguments: Sequence[str]) -> int:
    """Carry a command out and print the result; its exit code.

    Raises CommandFailedError, with the exit code, or ConfigError.
    """
    first = parse(arguments, WORDS.values(), lenient=True)
    words = [word for word in first.words if word != "help"] if first.words[:1] == ["help"] else list(first.words)
    wants_help = "help" in first.options or not words or first.words[:1] == ["help"]
    if wants_help and not words:
        print(_help_on_all(_words_to_mention(first)))
        return codes.OK if first.words or first.options.get("help") else codes.USAGE
    others: Sequence[Syntax] = ()
    if words[0] not in WORDS:
        others = _words_of_plugins(first, first.timeout_s)
        # What came first may have been the value of a plugin's option.
        words = [word for word in parse(arguments, [*WORDS.values(), *others], lenient=True).words if word != "help"]
    try:
        syntax = find_word(words[0], others, COMMANDS)
    except ValueError as error:
        raise CommandFailedError(str(error), codes.USAGE) from None
    if wants_help:
        from warren.gateway.command_line.word_help import help_of

        print(help_of(syntax))
        return codes.OK
    return _carry_out(syntax, parse(arguments, [*WORDS.values(), *others]))


def _carry_out(syntax: Syntax, parsed: Parsed) -> int:
    """The exit code: of an answer that has one, what was found."""
    formatter = cast("str | None", parsed.options.get("formatter"))
    if formatter not in (None, *FORMATTERS):
        text = f"unknown formatter '{formatter}'; the formatters are {', '.join(FORMATTERS)}"
        raise CommandFailedError(text, codes.USAGE)
    arguments = list(parsed.words[1:])
    # -p goes with every word, and means nothing to some.
    options = {name: value for name, value in parsed.of_word.items() if name != VHOST.name or syntax.takes(name)}
    try:
        syntax.check(arguments, list(options))
    except ValueError as error:
        raise CommandFailedError(str(error), codes.USAGE) from None
    timeout_s = parsed.timeout_s
    silent = bool(parsed.options.get("silent"))
    if syntax.name == TAIL:
        from warren.gateway.command_line import tail

        tail.run(where_of(parsed), arguments, options, as_json=formatter == "json")
        return codes.OK
    if syntax.name == VERSION:
        from warren.adapters.session.keys import PRODUCT_VERSION

        print(PRODUCT_VERSION.default)
        return codes.OK
    if syntax.name in WAITS:
        _wait_for_start(parsed, arguments, options)
        return codes.OK
    if syntax.name == TOP and formatter not in MACHINE_READABLE:
        from warren.gateway.command_line import top

        top.run(where_of(parsed), options)
        return codes.OK
    where = where_of(parsed)
    file = (arguments.pop() if arguments else STANDARD_STREAM) if syntax.reads_file or syntax.writes_file else None
    if syntax.secret is not None and len(arguments) == syntax.secret:
        arguments.append(_ask_password())
    announces = not (silent or parsed.options.get("quiet") or formatter in MACHINE_READABLE)
    if announces and syntax.announcement and not (syntax.writes_file and file == STANDARD_STREAM):
        print(_announcement(syntax, arguments if file is None else [file], options, where), flush=True)
    content = read_file(file) if file is not None and syntax.reads_file else None
    if syntax.reads_files:
        content = read_files(arguments)
    sent = arguments if file is None or syntax.reads_file else [file]
    answer = ask(where, syntax.name, sent, options, timeout_s, content)
    if file is not None and syntax.writes_file:
        write_file(file, answer.get("value"))
        return codes.OK
    headers = not parsed.options.get("no_table_headers")
    print_answer(answer, formatter, sys.stdout, headers=headers, silent=silent)
    if syntax.name in ENDS and isinstance(where, Path) and not options.get("no_wait"):
        _wait_for_end(where, timeout_s)
    found = answer.get("exit_code", codes.OK)
    return found if isinstance(found, int) else codes.OK


def _help_on_all(others: Sequence[Syntax]) -> str:
    width = max(len(each.name) for each in (*WORDS.values(), *others)) + 2
    lines = [f"  {each.name:<{width}}{each.about}" for each in WORDS.values()]
    if others:
        lines += ["", "Commands of plugins:", *(f"  {each.name:<{width}}{each.about}" for each in others)]
    return "\n".join([USAGE, "", "Commands:", *lines])


def _words_of_plugins(parsed: Parsed, timeout_s: float | None) -> list[Syntax]:
    """Those of the broker's plugins, if one runs and says so.  ConfigError if nobody can say where it would."""
    try:
        answer = ask(where_of(parsed), list_plugin_words.name, timeout_s=timeout_s)
        return [Syntax.from_description(each) for each in cast("list[dict[str, object]]", answer["value"])]
    except (CommandFailedError, KeyError, TypeError):
        return []


def _words_to_mention(parsed: Parsed) -> list[Syntax]:
    """Those of plugins for the list of all words, which has to come whatever is wrong."""
    from warren.gateway.configuration.config import ConfigError

    try:
        return _words_of_plugins(parsed, _HELP_TIMEOUT_S)
    except ConfigError:
        return []


def _announcement(syntax: Syntax, arguments: Sequence[str], options: Mapping[str, object], where: Where) -> str:
    named = {each.name: options.get(each.name) or each.default for each in syntax.options}
    return str(
        syntax.announcement.format(*arguments, directory=where.shown if isinstance(where, Api) else where, **named)
    )


def where_of(parsed: Parsed) -> Where:
    """Where the broker is asked, as the options say.  Raises CommandFailedError, ConfigError."""
    url = parsed.options.get("url")
    return _directory(parsed) if url is None else _api(str(url))


@cache
def _api(url: str) -> Api:
    """A password is asked for once."""
    return Api.at(url)


def _directory(parsed: Parsed) -> Path:
    given = parsed.options.get("data_dir")
    if given is not None:
        return Path(str(given)).expanduser().absolute()
    # Reading a configuration takes longer than all the rest, and who names the directory needs none.
    from warren.gateway.configuration.config import ConfigError
    from warren.gateway.configuration.load import load_config
    from warren.gateway.process.settings import ProcessSettings

    file = parsed.options.get("config")
    config = load_config(config_file=Path(str(file)) if file else None)
    directory = config.section(ProcessSettings).data_directory
    if directory is None:
        raise ConfigError(
            "the configuration says in_memory and names no data directory, so there is no control socket; "
            "give both to the broker, and --data-dir here"
        )
    return directory


def _ask_password() -> str:
    """From the terminal without showing it, else the first line of standard input."""
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _wait_for_start(parsed: Parsed, arguments: Sequence[str], options: Mapping[str, object]) -> None:
    from warren.gateway.command_line.waiting import TIMEOUT_DEFAULT_S, wait

    pid = options.get("pid")
    if pid is not None and not (str(pid).isascii() and str(pid).isdigit()):
        raise CommandFailedError(f"--pid must be a number, not '{pid}'", codes.USAGE)
    timeout_s = parsed.timeout_s if "timeout" in parsed.options else TIMEOUT_DEFAULT_S
    file = Path(arguments[0]) if arguments else None
    wait(where_of(parsed), timeout_s, pid_file=file, pid=None if pid is None else int(str(pid)))


def _wait_for_end(directory: Path, timeout_s: float | None) -> None:
    """Return when the broker has closed its store, so that another one can be started at once."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while is_in_use(directory):
        if deadline is not None and time.monotonic() > deadline:
            text = f"the broker on {directory} is still stopping after {timeout_s:g} seconds"
            raise CommandFailedError(text, codes.TEMPORARY_FAILURE)
        time.sleep(_POLL_S)

"""The man page warren(1), written from what the commands and words say of themselves.

`warren man` prints it; docs/man/warren.1 is what it prints, for packages, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from warren.gateway.command_line.surface import Entry, Flag, commands, general_flags, words
from warren.gateway.command_line.word_help import about_of
from warren.gateway.control import exit_codes
from warren.gateway.version import WARREN_VERSION

INTRODUCTION = """Warren is a message broker: AMQP 0-9-1, AMQP 1.0, MQTT and STOMP, on TCP, TLS and WebSocket.
.B warren serve
runs one; every other command is for looking at it, administering it, or making files for it.
Words of
.B warren ctl
are rabbitmqctl's where it has them, and may be given directly:
.BR "warren list_queues" ."""

FILES = (
    ("warren.toml", "The configuration: in the working directory, else in the data directory; warren init writes one."),
    ("/etc/rabbitmq/rabbitmq.conf", "Is read with --config, as it is; warren check says what of it counts."),
    ("~/.local/share/warren", "The data directory, where nothing else is said; /var/lib/warren for root."),
)

ENVIRONMENT = (
    ("WARREN_CONFIG", "The configuration file."),
    ("WARREN_KEY", "Any key of the configuration, in capitals: WARREN_HEARTBEAT_S=30."),
    ("NOTIFY_SOCKET", "Where a service manager is told of start, reload and stop, as sd_notify(3) has it."),
)


def manual() -> str:
    """The page, for man(7)."""
    lines = [
        f'.TH WARREN 1 "" "Warren {WARREN_VERSION}" "User Commands"',
        ".SH NAME",
        "warren \\- a multi-protocol message broker, and its command line",
        ".SH SYNOPSIS",
        ".B warren",
        ".I COMMAND",
        "[options] [arguments]",
        ".SH DESCRIPTION",
        INTRODUCTION,
        ".SH COMMANDS",
        *_entries(commands()),
        ".SH WORDS OF CTL",
        "Options of each of them, before or after the word:",
        *_flags(general_flags()),
        *_entries(words()),
        ".SH SIGNALS",
        ".TP",
        '.BR SIGTERM ", " SIGINT',
        "Stop in good order.",
        ".TP",
        ".B SIGHUP",
        "Read certificates, the configuration and files of definitions again; the log says what counts at once.",
        ".SH EXIT STATUS",
        *_pairs((str(getattr(exit_codes, name)), name.lower().replace("_", " ")) for name in _codes()),
        ".SH ENVIRONMENT",
        *_pairs(ENVIRONMENT),
        ".SH FILES",
        *_pairs(FILES),
        ".SH SEE ALSO",
        ".BR rabbitmqctl (8),",
        ".BR mosquitto_passwd (1),",
        ".BR systemd.service (5)",
    ]
    return "\n".join(lines) + "\n"


def _codes() -> Iterable[str]:
    return sorted((name for name in vars(exit_codes) if name.isupper()), key=lambda name: getattr(exit_codes, name))


def _entries(entries: Sequence[Entry]) -> Iterator[str]:
    for each in entries:
        yield ".TP"
        arguments = f" {escaped(each.arguments)}" if each.arguments else ""
        yield f".B {escaped(each.path)}{arguments}"
        yield escaped(" ".join(each.about.split()))
        if each.flags:
            yield ".RS"
            yield from _flags(each.flags)
            yield ".RE"
        if each.example and each.example != f"warren {each.path}":
            yield ".RS"
            yield ".PP"
            yield f"Example: {escaped(each.example)}"
            yield ".RE"


def _flags(flags: Sequence[Flag]) -> Iterator[str]:
    for each in flags:
        yield ".TP"
        short = f"{each.short}, " if each.short else ""
        yield f".B {escaped(short + each.long)}{' ' if each.value else ''}{escaped(each.value)}"
        yield escaped(about_of(each.meaning)) or "\\&"


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, about in pairs:
        yield ".TP"
        yield f".B {escaped(name)}"
        yield escaped(about)


def escaped(text: str) -> str:
    """As it has to be written for nothing of it to be a command of roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti").replace("`", "\\(ga").replace('"', "\\(dq")
    return "\\&" + text if text.startswith(".") else text

"""docs/reference/words.md: every command and every word, with what it takes, what it shows and an example."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from tests.docs.reference.markdown import cell, code, fenced, joined, prose, table
from warren.gateway.command_line.meanings import ARGUMENTS, OPTIONS, metavars
from warren.gateway.command_line.surface import UNKNOWN, Entry, Flag, commands, general_flags
from warren.gateway.command_line.word_help import SHORT, about_of, columns_of, example_of, sentence
from warren.gateway.configuration.plugins import PLUGINS, PluginUnusableError, load_plugin
from warren.gateway.control import exit_codes
from warren.gateway.control.word import Remote, Word
from warren.gateway.control.words.built_in import WORDS
from warren.gateway.control.words.not_here import NOT_HERE

INTRODUCTION = """
# Commands and words

Everything that can be typed behind `warren`, from the code. [The command line](../command_line.md) says how it is
used; `warren WORD --help` says the same as this page, and [the man page](../man/warren.1) does, too (`man -l
docs/man/warren.1`).

Words of a running broker may be given with or without `ctl`: `warren list_queues` is `warren ctl list_queues`. They
reach it by the socket in its data directory or, with `--url`, by its management API, where its user needs what is
said of each word.
"""

OVER_HTTP = {
    Remote.NOBODY: "Over HTTP: no; it has to be where the broker is.",
    Remote.ADMINISTRATOR: "Over HTTP: administrators.",
    Remote.MONITORING: "Over HTTP: users with the tag monitoring.",
    Remote.MANAGEMENT: "Over HTTP: users with the tag management who may use the virtual host.",
}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION.strip(), "## Commands", *map(command, commands())]
    parts += ["## Options of every word", flags(general_flags())]
    parts += ["## Words", index(), *(word(each) for _, each in sorted(WORDS.items()))]
    parts += ["## Words of plugins", "They are there while the plugin is enabled.", *of_plugins()]
    parts += ["## Words of RabbitMQ's that do nothing here", table(("word", "why"), _not_here())]
    parts += ["## Exit status", table(("status", "says"), _statuses())]
    return joined(parts)


def index() -> str:
    """All words, by the subject that their module is about."""
    subjects: dict[str, list[str]] = {}
    for name, each in WORDS.items():
        module = sys.modules[each.handler.__module__].__doc__ or ""
        subject = " ".join(module.split()).partition(". ")[0].partition(": ")[0].partition(";")[0].rstrip(".")
        subjects.setdefault(subject, []).append(f"[{code(name)}](#{name})")
    return "\n".join(f"- {prose(subject)}: {', '.join(sorted(names))}" for subject, names in subjects.items())


def command(each: Entry) -> str:
    """A command that isn't a word."""
    usage = f"warren {each.path}{' ' if each.arguments else ''}{each.arguments}"
    return joined(
        [f"### {code(f'warren {each.path}')}", fenced("text", usage), documentation_of(each.about), flags(each.flags)]
    )


def documentation_of(about: str) -> str:
    """Paragraphs as they are."""
    return joined(prose(paragraph) for paragraph in about.split("\n\n"))


def word(each: Word, whose: str = "") -> str:
    """A word of ctl.  whose: what is said of where it comes from."""
    usage = f"warren {each.name}{' ' if each.usage else ''}{each.usage}"
    arguments = [
        (code(name.rstrip(",")), cell(about_of(ARGUMENTS.get(name, UNKNOWN))))
        for name in dict.fromkeys(metavars(each.usage))
    ]
    options = [Flag(o.flag, SHORT.get(o.name, ""), o.value, OPTIONS.get(o.name, UNKNOWN)) for o in each.options]
    columns = columns_of(each.lists) if each.lists else []
    return joined(
        [
            f"### {code(each.name)}",
            fenced("text", usage),
            f"{prose(sentence(each.about))} {OVER_HTTP[each.remote]}{whose}",
            table(("argument", "what it is"), arguments),
            flags(options),
            table(("column", "what it says"), [(code(name), cell(about)) for name, about in columns]),
            f"Example: {code(example_of(each))}",
        ]
    )


def of_plugins() -> Iterable[str]:
    """The words of plugins that come with Warren."""
    for name in PLUGINS:
        try:
            found = load_plugin(name)().words()
        except PluginUnusableError:
            continue
        yield from (word(each, f" By the plugin `{name}`.") for each in found)


def flags(found: Iterable[Flag]) -> str:
    """Options as a table."""
    rows = [(code(_written(each)), cell(about_of(each.meaning))) for each in found]
    return table(("option", "what it says"), rows)


def _written(flag: Flag) -> str:
    return f"{flag.short}, " * bool(flag.short) + flag.long + f" {flag.value}" * bool(flag.value)


def _not_here() -> list[tuple[str, str]]:
    """By why, each why once."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in NOT_HERE.items():
        by_reason.setdefault(reason, []).append(code(name))
    return [(", ".join(names), cell(reason)) for reason, names in by_reason.items()]


def _statuses() -> Sequence[tuple[str, str]]:
    found = {getattr(exit_codes, name): name for name in vars(exit_codes) if name.isupper()}
    return [(str(value), name.lower().replace("_", " ")) for value, name in sorted(found.items())]

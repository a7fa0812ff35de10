"""The help of one word: its usage, what its arguments and options are, the columns that it can show, and an example."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from warren.gateway.command_line.meanings import ARGUMENTS, OPTIONS, Meaning, metavars

if TYPE_CHECKING:
    from warren.core.administration.listing.column import Row
    from warren.core.administration.listing.kind import Kind
    from warren.gateway.control.word import Option, Syntax

WIDTH_MAX: Final = 120
"""Of a line: longer ones are hard to read on any terminal."""

SHORT: Final = {"vhost": "-p", "quiet": "-q", "silent": "-s", "timeout": "-t"}


def help_of(syntax: Syntax) -> str:
    """All that can be said of a word."""
    parts = [syntax.line, sentence(syntax.about)]
    arguments = [(name.rstrip(","), about_of(ARGUMENTS.get(name))) for name in dict.fromkeys(metavars(syntax.usage))]
    options = [(written(option), about_of(OPTIONS.get(option.name))) for option in syntax.options]
    width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
    for title, found in (("Arguments:", arguments), ("Options:", options)):
        if any(about for _, about in found):
            parts.append("\n".join([title, *paired(found, width)]))
    columns = columns_of(syntax.lists) if syntax.lists else []
    if columns:
        parts.append("\n".join(["Columns:", *paired(columns, width)]))
    parts.append(f"Example:\n  {example_of(syntax)}")
    parts.append("The options of every command are in: warren ctl --help")
    return "\n\n".join(parts)


def example_of(syntax: Syntax) -> str:
    """What may be typed."""
    typed = syntax.example or ("" if syntax.usage.startswith("[") else syntax.usage)
    return f"warren {syntax.name}{' ' if typed else ''}{typed}"


def sentence(about: str) -> str:
    """With a capital and a full stop."""
    return about[:1].upper() + about[1:] + ("" if about.endswith(".") else ".")


def written(option: Option) -> str:
    """`-p, --vhost VHOST`."""
    short = f"{SHORT[option.name]}, " if option.name in SHORT else ""
    return f"{short}{option.flag}{' ' if option.value else ''}{option.value}"


def about_of(meaning: Meaning | None) -> str:
    """What it is, with its values."""
    if meaning is None:
        return ""
    if all(each in meaning.about for each in meaning.values):
        return meaning.about
    return f"{meaning.about.rstrip('.')}: {', '.join(meaning.values)}"


def paired(found: Sequence[tuple[str, str]], width: int) -> Iterable[str]:
    """Names on the left, what they are on the right."""
    left = max(len(name) for name, _ in found) + 2
    for name, about in found:
        lines = textwrap.wrap(about, max(width - left - 2, 30)) or [""]
        yield f"  {name:<{left}}{lines[0]}".rstrip()
        yield from (f"  {'':<{left}}{line}" for line in lines[1:])


def columns_of(kind_name: str) -> list[tuple[str, str]]:
    """Names of the columns of a listing and what they mean; none for a listing that isn't known here."""
    from warren.core.administration.listing.kinds import Listings

    kind = _kind(kind_name)
    if kind is None:
        return []
    listings = Listings()
    if kind_name not in listings.names():
        listings.register(kind)
    meanings = {name: about for row in _with_subclasses(kind.row) for name, about in _own(row)}
    return [
        (name, " ".join(meanings.get(name, "").split()) or "shown empty, for scripts written for RabbitMQ")
        for name in listings.column_names(kind_name)
        if meanings.get(name) or name in kind.unknown
    ]


def _kind(name: str) -> Kind | None:
    from warren.core.administration.listing.kinds import Listings
    from warren.gateway.configuration.options import listings_of_protocols

    listings = Listings()
    if name in listings.names():
        return listings.kind(name)
    for kind in (*listings_of_protocols(), *_of_plugins()):
        if kind.name == name:
            return kind
    return None


def _of_plugins() -> Iterable[Kind]:
    """That of plugins, and those of plugins that come with Warren."""
    from warren.core.administration.listing.kind import Kind
    from warren.gateway.configuration.plugins import PLUGINS, PluginUnusableError, load_plugin
    from warren.gateway.plugins.listing import PluginRow

    yield Kind("plugins", PluginRow, lambda *_: iter(()), lambda *_: 0, ())
    for name in PLUGINS:
        try:
            yield from load_plugin(name)().listings()
        except PluginUnusableError:
            continue  # it lacks a package, and so its words can't be asked for either


def _with_subclasses(row: type[Row]) -> Iterable[type[Row]]:
    for each in row.__subclasses__():
        yield from _with_subclasses(each)
    yield row


def _own(row: type[Row]) -> Iterable[tuple[str, str]]:
    return ((name, column.about) for name, column in row.columns.items())

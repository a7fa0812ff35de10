"""How answers are printed: for people on a terminal, tab-separated for scripts, JSON and CSV for programs.

Names come from clients and may hold anything; control characters are escaped wherever a terminal could see
them. rich is imported only when a table is drawn: it costs more than the whole rest of a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TextIO, cast

FORMATTERS = ("table", "pretty_table", "json", "csv", "erlang")
"""rabbitmqctl's.  Without one: pretty_table on a terminal, table otherwise."""

MACHINE_READABLE = ("json", "csv", "erlang")
"""Nothing but the result is printed with these."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_UNLIMITED_COLUMNS = 10_000
"""Width of a drawn table that doesn't go to a terminal: never cut anything off."""

Row = Mapping[str, object]


def print_answer(
    answer: Mapping[str, object], formatter: str | None, out: TextIO, *, headers: bool, silent: bool
) -> None:
    """Print a successful answer (control.protocol) to `out`; with `silent` only what a table or value holds."""
    if "rows" in answer:
        columns = cast("list[str]", answer["columns"])
        _print_table(columns, cast("list[Row]", answer["rows"]), formatter, out, headers and not silent)
    elif formatter == "json":
        done = {"result": "ok", "message": answer.get("text", "")}
        print(_json(answer.get("value", done)), file=out)
    elif formatter == "erlang" and "value" in answer:
        from warren.gateway.command_line.erlang_terms import term

        print(term(answer["value"]), file=out)
    elif answer.get("text") and ("value" in answer or not silent):
        print(answer["text"], file=out)


def _print_table(
    columns: Sequence[str], rows: Sequence[Row], formatter: str | None, out: TextIO, headers: bool
) -> None:
    if formatter == "json":
        print(_json(rows), file=out)
    elif formatter == "erlang":
        from warren.gateway.command_line.erlang_terms import rows_of

        print(rows_of(columns, rows), file=out)
    elif formatter == "csv":
        _print_csv(columns, rows, out, headers)
    elif formatter == "pretty_table" or (formatter is None and out.isatty()):
        _draw(columns, rows, out, headers)
    else:
        _print_tabs(columns, rows, out, headers)


def _print_tabs(columns: Sequence[str], rows: Sequence[Row], out: TextIO, headers: bool) -> None:
    """As rabbitmqctl: the header comes with the first row, so that nothing is printed for nothing."""
    if headers and rows:
        print("\t".join(columns), file=out)
    for row in rows:
        print("\t".join(cell(row.get(name)) for name in columns), file=out)


def _print_csv(columns: Sequence[str], rows: Sequence[Row], out: TextIO, headers: bool) -> None:
    import csv

    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    if headers:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in columns])


def _draw(columns: Sequence[str], rows: Sequence[Row], out: TextIO, headers: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=headers)
    for name in columns:
        numeric = any(_is_number(row.get(name)) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in columns))
    width = None if out.isatty() else _UNLIMITED_COLUMNS
    Console(file=out, width=width, highlight=False).print(table)


def cell(value: object) -> str:
    """A value in one line of text: lists as `[a, b]`, tables as `[{"key",value}]`, nothing as the empty
    string.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "[" + ",".join(f"{{{_quoted(name)},{_quoted(value[name])}}}" for name in value) + "]"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(cell(entry) for entry in value) + "]"
    return _CONTROL.sub(_escape, str(value))


def _quoted(value: object) -> str:
    return f'"{cell(value)}"' if isinstance(value, str) else cell(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _json(value: object) -> str:
    """Readable where it can be: escaped only when a name isn't valid Unicode."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text

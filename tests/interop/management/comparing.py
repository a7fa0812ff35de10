"""Two answers side by side: what differs between their statuses, and between the shapes of what they hold."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "management_rabbitmq.md"

BOTH = "both, with other values"

VALUED = re.compile(
    r"/(policies|operator-policies|parameters|global-parameters|permissions|topic-permissions|bindings|user-limits"
    r"|vhost-limits|cluster-name)(/|$)|/bindings|(?<!without-)permissions$|/(publish|get)$|columns=name"
)
"""Paths whose answers hold what was put there, so that their values have to be the same, too."""


@dataclass(frozen=True, slots=True)
class Broker:
    """One of the two.  node: its name."""

    http: httpx.Client
    node: str

    def ask(self, request: str, **names: str) -> httpx.Response:
        """One line of the scenario."""
        method, path, *body = request.split(" ", 2)
        for name, value in {"NODE": self.node, **names}.items():
            path = path.replace(name, value)
        content = body[0].encode() if body else None
        return self.http.request(method, f"/api{path}", content=content, headers={"content-type": "application/json"})


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of the page."""

    cells: tuple[str, ...]

    @property
    def where(self) -> str:
        return self.cells[0]


def rows(heading: str) -> list[Row]:
    """The table below a heading of the page."""
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [Row(tuple(cell.strip().strip("`") for cell in line.strip("|").split(" | "))) for line in lines]


def is_listed(path: str, field: str, row: Row) -> bool:
    """Whether a row of the table of fields means this one: `*` stands for anything."""
    return fnmatch.fnmatchcase(path, row.cells[0]) and any(
        fnmatch.fnmatchcase(field, each.strip().strip("`")) for each in row.cells[1].split(",")
    )


def differences(rabbitmq: Any, warren: Any, *, values: bool, path: str = "") -> Iterator[tuple[str, str]]:
    """(field, who has it) of all that differs; a list is known by its first object, or with `values` by all."""
    if isinstance(rabbitmq, dict) and isinstance(warren, dict):
        for name in sorted(rabbitmq.keys() | warren.keys()):
            field = f"{path}.{name}".lstrip(".")
            if name not in warren:
                yield field, "RabbitMQ"
            elif name not in rabbitmq:
                yield field, "Warren"
            else:
                yield from differences(rabbitmq[name], warren[name], values=values, path=field)
    elif isinstance(rabbitmq, list) and isinstance(warren, list):
        yield from _of_lists(rabbitmq, warren, values=values, path=path)
    elif kind(rabbitmq) != kind(warren):
        yield path, f"{kind(rabbitmq)} there, {kind(warren)} here"
    elif values and rabbitmq != warren:
        yield path, BOTH


def answer_of(response: httpx.Response) -> Any:
    """What a response holds, with the node's name as NODE."""
    return json.loads(_NODE_NAME.sub("NODE", response.text))


_NODE_NAME = re.compile(r"\b(warren|node-\d+)@[\w.-]+")


def _of_lists(rabbitmq: list[Any], warren: list[Any], *, values: bool, path: str) -> Iterator[tuple[str, str]]:
    if values and len(rabbitmq) != len(warren):
        yield path, BOTH
    elif values:
        for there, here in zip(sorted(rabbitmq, key=_order), sorted(warren, key=_order), strict=True):
            yield from differences(there, here, values=True, path=path)
    elif rabbitmq and warren:
        yield from differences(min(rabbitmq, key=_order), min(warren, key=_order), values=False, path=path)
    elif rabbitmq or warren:
        yield path, "RabbitMQ" if rabbitmq else "Warren"


def _order(value: object) -> str:
    """Of objects in lists: by what they are called, and by what they say of themselves."""
    names = ("name", "user", "vhost", "source", "destination", "routing_key", "component", "payload")
    if isinstance(value, dict):
        return json.dumps([value.get(name) for name in names])
    return json.dumps(value)


def kind(value: object) -> str:
    """The JSON type of a value; a number is an integer or not."""
    names = {dict: "object", list: "array", str: "text", bool: "boolean", int: "integer", float: "number"}
    return "null" if value is None else names[type(value)]

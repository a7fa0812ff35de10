"""docs/reference/http_api.md: every endpoint with who may ask, its body, its answers, and all types of both.

What may be asked by whom is taken from what a broker answered when each endpoint was asked by everybody
(tests/plugins/management/permissions.txt, rights.txt), which tests hold against a broker anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.docs.pages import ROOT
from tests.docs.reference.markdown import cell, code, joined, prose, table
from warren.gateway.version import WARREN_VERSION
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.management.openapi import LIST_PARAMETERS, document
from warren.plugins.management.plugin import API
from warren.plugins.management.ranges import SORTS

FOLDER = ROOT / "tests" / "plugins" / "management"

TAGS = {"m": "management", "p": "policymaker", "M": "monitoring", "a": "administrator", "i": "impersonator"}
"""The letters of permissions.txt; `n` has no tag, and so is anybody who has logged in."""

Schema = Mapping[str, Any]

INTRODUCTION = f"""
# The HTTP API

Every endpoint of [the management API](../management.md), from the code; a broker tells the same to programs at
`{API}/openapi.json`. Paths begin with `{API}`, and a part in braces is a name, encoded (`/` is `%2F`). A request that
is refused is answered with 400, 401 or 404 and `{{"error": ..., "reason": ...}}`; how these are told apart is on the
page named above, as is what differs from RabbitMQ's.

**Tags** are those of which a user needs one. **Elsewhere** is what it takes for a virtual host that the user has no
permissions in; where that isn't said it is the same. **Permissions** are what a user needs beside the tag, by
examples: in them `q` and `other` are queues, `x` and `y` exchanges, `t` an exchange of type topic, `d` one of type
x-delayed-message, and what is `new` or `fresh` isn't there yet.
"""

OF_LISTS = """
A list may be asked for in part, behind the `?`:
"""

OF_RATES = f"""
Rates come with samples for those who ask for a span of time: `msg_rates_age=600&msg_rates_incr=5` is ten minutes, a
sample every five seconds. The sorts of figures are {", ".join(f"`{sort}`" for sort in SORTS)}.
"""


def page() -> str:
    """The whole page."""
    described = document(ENDPOINTS, WARREN_VERSION)
    tags, rights = _tags(), _rights()
    parts = [INTRODUCTION.strip(), "## Lists and rates", OF_LISTS.strip()]
    rows = [(code(name), kind, cell(about)) for name, (kind, about) in LIST_PARAMETERS.items()]
    parts += [table(("parameter", "type", "what it says"), rows), OF_RATES.strip()]
    subject = ""
    for each in ENDPOINTS:
        if (found := _subject(each)) != subject:
            subject = found
            parts.append(f"## {prose(subject)}")
        operation = described["paths"][API + each.path][each.method.lower()]
        parts.append(_endpoint(each, operation, tags.get(_name(each), {}), rights.get(_name(each), ())))
    parts.append("## Types")
    parts += [_type(name, schema) for name, schema in sorted(described["components"]["schemas"].items())]
    return joined(parts)


def _name(each: Endpoint) -> str:
    return f"{each.method} {each.path}"


def _subject(each: Endpoint) -> str:
    text = " ".join((sys.modules[each.handler.__module__].__doc__ or "").split())
    if each.path == "/openapi.json":
        return "This description"
    return re.sub(r"\s*\(spec [^)]*\)", "", text.partition(". ")[0].partition(";")[0].partition(": ")[0]).rstrip(".")


def _endpoint(each: Endpoint, operation: Schema, tags: Mapping[str, str], rights: Iterable[tuple[str, str]]) -> str:
    lines = []
    if not each.needs.value:
        lines.append("**Tags**: none; nobody has to log in.")
    elif tags:
        lines.append(f"**Tags**: {tags['own']}.")
        if tags.get("other", tags["own"]) != tags["own"]:
            lines.append(f"**Elsewhere**: {tags['other']}.")
    else:
        lines.append(f"**Tags**: {', '.join(each.needs.value)}.")
    body = operation.get("requestBody")
    if body:
        lines.append(f"**Body**: {_shown(_schema(body))}.")
    lines.append(f"**Answers**: {', '.join(_answers(each, operation))}.")
    return joined(
        [
            f"### {code(_name(each))}",
            prose(each.about),
            "\\\n".join(lines),
            table(("permissions for", "are"), [(code(request), cell(needs)) for request, needs in rights]),
        ]
    )


def _answers(each: Endpoint, operation: Schema) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if status == "default":
            continue
        if "content" not in answer:
            yield f"{status} ({answer['description']})"
        elif each.lists:
            item = _schema(answer)
            array = item["oneOf"][0] if "oneOf" in item else item
            yield f"{status} with {_shown(array)}" + (", or a page of them" if "oneOf" in item else "")
        else:
            yield f"{status} with {_shown(_schema(answer))}"


def _schema(content: Schema) -> Schema:
    (found,) = content["content"].values()
    schema: Schema = found["schema"]
    return schema


def _type(name: str, schema: Schema) -> str:
    required = schema.get("required", ())
    rows = [
        (code(field), _shown(of), "yes" if field in required else "", _default(of))
        for field, of in schema["properties"].items()
    ]
    has = {at for row in rows for at in (2, 3) if row[at]}
    columns = [0, 1, *sorted(has)]
    head = ("field", "type", "has to be there", "default")
    fields = table([head[at] for at in columns], [[row[at] for at in columns] for row in rows])
    return joined([f"### {code(name)}", prose(schema.get("description", "")), fields or "No fields."])


def _default(schema: Schema) -> str:
    import json

    return code(json.dumps(schema["default"])) if "default" in schema else ""


def _shown(schema: Schema) -> str:
    """A type in words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{code(name)}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_shown, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"array of {_shown(schema['items'])}" if schema.get("items") else "array"
    if "enum" in schema:
        return " or ".join(code(str(value)) for value in schema["enum"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_shown(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _tags() -> dict[str, dict[str, str]]:
    """Who may ask, by endpoint and by whether the virtual host is the user's."""
    found = {}
    for line in (FOLDER / "permissions.txt").read_text("utf-8").splitlines():
        name, *rest = re.split(r"\s{2,}", line.strip())
        found[name] = {where: _named(letters) for where, letters in (part.split() for part in rest)}
    return found


def _named(letters: str) -> str:
    if "n" in letters:
        return "none; whoever can log in"
    return ", ".join(TAGS[letter] for letter in letters if letter in TAGS) or "nobody without permissions there"


def _rights() -> dict[str, list[tuple[str, str]]]:
    """What is needed beside the tag, by endpoint: example and permissions."""
    patterns = [(_name(each), _pattern(each)) for each in ENDPOINTS]
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (FOLDER / "rights.txt").read_text("utf-8").splitlines():
        request, _, needs = line.rpartition("  ")
        method, _, rest = request.strip().partition(" ")
        path = rest.partition(" {")[0].partition("?")[0]
        names = [name for name, pattern in patterns if pattern.fullmatch(f"{method} {path}")]
        name = min(names, key=lambda each: each.count("{"))
        permissions = needs.strip().removeprefix("vhost /").removeprefix(", ")
        if permissions:
            found.setdefault(name, []).append((request.strip(), permissions))
    return found


def _pattern(each: Endpoint) -> re.Pattern[str]:
    parts = [
        r"\{vhost\}" if part == "{vhost}" else "[^/]+" if part.startswith("{") else re.escape(part)
        for part in each.path.split("/")
    ]
    return re.compile(f"{each.method} {'/'.join(parts)}")

"""The OpenAPI document, written from the endpoints and the types of their bodies and answers (OpenAPI 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any, Final

import msgspec

from warren.plugins.management import objects
from warren.plugins.management.bodies import Table
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.plugin import API

VERSION: Final = "3.1.0"

LIST_PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "columns": ("string", "fields that are shown, with commas between; `message_stats.publish` is one within another"),
    "sort": ("string", "the field to sort by"),
    "sort_reverse": ("boolean", "sort from the largest to the smallest"),
    "page": ("integer", "from 1 on: answer with this page of the list"),
    "page_size": ("integer", "objects on a page, 100 unless told otherwise, 500 at most"),
    "name": ("string", "only objects whose names contain this"),
    "use_regex": ("boolean", "`name` is a regular expression"),
}
"""What every list takes behind the `?`: its type, and what it means."""

_PAGE_FIELDS: Final = ("filtered_count", "item_count", "page", "page_count", "page_size", "total_count")

_JSON: Final = "application/json"

_PART: Final = re.compile(r"\{(\w+)\}")


def document(endpoints: Iterable[Endpoint], version: str, prefix: str = "") -> dict[str, Any]:
    """The whole of it.  version: Warren's.  prefix: of all paths, as `management_path_prefix` says."""
    endpoints = list(endpoints)
    types = {objects.Error: None}
    for each in endpoints:
        types |= {wanted: None for wanted in (each.body, each.answer) if _is_described(wanted)}
    found = list(types)
    schemas, components = msgspec.json.schema_components(found, ref_template="#/components/schemas/{name}")
    references = dict(zip(map(id, found), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(API + each.path, {})[each.method.lower()] = _operation(each, references)
    return {
        "openapi": VERSION,
        "info": {"title": "Warren's management API", "version": version},
        "servers": [{"url": prefix or "/"}],
        "security": [{"basic": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "responses": {
                "refused": {
                    "description": "why there is nothing",
                    "content": {_JSON: {"schema": references[id(objects.Error)]}},
                }
            },
        },
    }


def _is_described(wanted: Any) -> bool:
    """Whether a type is one of ours, rather than anything that JSON can hold."""
    return isinstance(wanted, type) and (issubclass(wanted, msgspec.Struct) or is_dataclass(wanted))


def _type_of(wanted: Any) -> dict[str, str]:
    """Of what isn't one of ours: a text, or an object with anything in it."""
    return {"type": "string" if wanted is str else "object"}


def _operation(each: Endpoint, references: Mapping[int, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PART.findall(each.path)
    ]
    if each.lists and each.method == "GET":
        parameters += [
            {"name": name, "in": "query", "description": about, "schema": {"type": kind}}
            for name, (kind, about) in LIST_PARAMETERS.items()
        ]
    found: dict[str, Any] = {
        "operationId": each.handler.__name__,
        "summary": each.about,
        "description": f"Takes one of the tags {', '.join(each.needs.value)}." if each.needs.value else "For anybody.",
        "responses": {**_responses(each, references), "default": {"$ref": "#/components/responses/refused"}},
    }
    if not each.needs.value:
        found["security"] = []
    if parameters:
        found["parameters"] = parameters
    if each.body is not None:
        schema = references[id(each.body)] if _is_described(each.body) else {"type": "object"}
        found["requestBody"] = {"content": {_JSON: {"schema": schema}}}
    return found


def _responses(each: Endpoint, references: Mapping[int, Any]) -> dict[str, Any]:
    if each.answer is None:
        made = {"201": {"description": "made"}} if each.method in ("PUT", "POST") else {}
        done = {"202": {"description": "it will be done"}} if each.later else {"204": {"description": "done"}}
        return {**made, **done}
    schema = references[id(each.answer)] if _is_described(each.answer) else _type_of(each.answer)
    if each.lists:
        array = {"type": "array", "items": schema}
        schema = {"oneOf": [array, _page(array)]} if each.method == "GET" else array
    found = {"200": {"description": "it is answered", "content": {_JSON: {"schema": schema}}}}
    if each.answer is objects.Health:
        found["503"] = {**found["200"], "description": "it isn't well"}
    return found


def _page(array: Mapping[str, Any]) -> dict[str, Any]:
    """What stands around the objects where a page was asked for."""
    numbers: Table = {name: {"type": "integer"} for name in _PAGE_FIELDS}
    return {"type": "object", "properties": {**numbers, "items": array}, "required": [*_PAGE_FIELDS, "items"]}

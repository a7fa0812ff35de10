"""The commands of the control socket on policies and operator policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.policies.policy import OPERATOR_POLICY, POLICY, Policy, PolicyKind, make_policy
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    Control,
    Handler,
    RefusedError,
    Request,
    Row,
    done,
    existing_vhost,
    table,
)

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

_COLUMNS = ("vhost", "name", "pattern", "apply-to", "definition", "priority")


def parse_json(text: str) -> JSON:
    """The value of a JSON document on the command line; RefusedError (65) when it is none."""
    try:
        value: JSON = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"Could not parse JSON document: {error}", codes.DATA) from None
    return value


def as_text(value: JSON) -> str:
    """A value as rabbitmqctl shows it in tables: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _set(kind: PolicyKind) -> Handler:
    def answer(control: Control, request: Request) -> Answer:
        name, pattern, definition = request.arguments
        vhost = existing_vhost(control, request.vhost)
        apply_to = str(request.options.get("apply_to") or "all")
        policy = make_policy(kind, name, pattern, parse_json(definition), _priority(request.options), apply_to)
        control.server.broker.policies.set(vhost, policy)
        return done()

    return answer


def _clear(kind: PolicyKind) -> Handler:
    def answer(control: Control, request: Request) -> Answer:
        vhost = existing_vhost(control, request.vhost)
        control.server.broker.policies.clear(vhost, kind, request.arguments[0])
        return done()

    return answer


def _list(kind: PolicyKind) -> Handler:
    def answer(control: Control, request: Request) -> Answer:
        vhost = existing_vhost(control, request.vhost).name
        return table(_COLUMNS, [_row(vhost, policy) for policy in control.server.broker.policies.in_vhost(kind, vhost)])

    return answer


def _row(vhost: str, policy: Policy) -> Row:
    return {"vhost": vhost, "name": policy.name, **policy.value(), "definition": as_text(policy.definition)}


def _priority(options: Mapping[str, object]) -> int:
    given = str(options.get("priority") or "0")
    try:
        return int(given)
    except ValueError:
        raise RefusedError(f"--priority must be a number, not '{given}'", codes.USAGE) from None


HANDLERS: dict[str, Handler] = {
    "set_policy": _set(POLICY),
    "clear_policy": _clear(POLICY),
    "list_policies": _list(POLICY),
    "set_operator_policy": _set(OPERATOR_POLICY),
    "clear_operator_policy": _clear(OPERATOR_POLICY),
    "list_operator_policies": _list(OPERATOR_POLICY),
}
"""By word."""

"""Words on policies and operator policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.json_text import json_text, parse_json
from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table
from warren.gateway.control.word import VHOST, Option, Remote, word

if TYPE_CHECKING:
    from warren.core.policies.policy import PolicyKind

OBJECT_TYPE: Final = Option("object_type", "queue|exchange", "queue")

POLICY_OPTIONS: Final = (VHOST, Option("priority", "NUMBER", "0"), Option("apply_to", "KIND"))


@word(
    "NAME PATTERN DEFINITION",
    "give settings, a JSON object, to the queues and exchanges whose names match a regular expression",
    'Setting policy "{0}" for pattern "{1}" to "{2}" with priority "{priority}" for vhost "{vhost}" ...',
    options=POLICY_OPTIONS,
    example="bounded '^tasks' '{\"max-length\": 10000}' --apply-to queues",
)
def set_policy(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    return _set(control, request, operations.policies.POLICY)


@word("NAME", "remove a policy", 'Clearing policy "{0}" on vhost "{vhost}" ...', options=(VHOST,), example="bounded")
def clear_policy(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.policies.clear_policy(control.broker, operations.policies.POLICY, request.vhost, request.arguments[0])
    return done()


@word(
    "",
    "policies of a virtual host",
    'Listing policies for vhost "{vhost}" ...',
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="-p orders",
    lists="policies",
)
async def list_policies(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await listing(control, "policies", vhost=request.vhost, as_text=("definition",))


@word(
    "NAME PATTERN DEFINITION",
    "bound what policies and declarations may ask for",
    'Setting operator policy override "{0}" for pattern "{1}" to "{2}" with priority "{priority}" '
    'for vhost "{vhost}" ...',
    options=POLICY_OPTIONS,
    example="sane '.*' '{\"max-length\": 1000000}'",
)
def set_operator_policy(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    return _set(control, request, operations.policies.OPERATOR_POLICY)


@word(
    "NAME",
    "remove an operator policy",
    'Clearing operator policy "{0}" on vhost "{vhost}" ...',
    options=(VHOST,),
    example="sane",
)
def clear_operator_policy(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.policies.clear_policy(
        control.broker, operations.policies.OPERATOR_POLICY, request.vhost, request.arguments[0]
    )
    return done()


@word(
    "",
    "operator policies of a virtual host",
    'Listing operator policy overrides for vhost "{vhost}" ...',
    options=(VHOST,),
    remote=Remote.MANAGEMENT,
    example="-p orders",
    lists="operator_policies",
)
async def list_operator_policies(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await listing(control, "operator_policies", vhost=request.vhost, as_text=("definition",))


@word(
    "NAME",
    "the policies that match a queue, or --object-type exchange; the first one is in effect",
    "Listing policies that match {object_type} '{0}' in vhost '{vhost}' ...",
    options=(VHOST, OBJECT_TYPE),
    remote=Remote.MANAGEMENT,
    example="tasks",
)
def list_policies_that_match(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    from warren.core.administration import operations

    kind = str(request.options.get(OBJECT_TYPE.name) or OBJECT_TYPE.default)
    if kind not in ("queue", "exchange"):
        raise RefusedError(f"--object-type is queue or exchange, not '{kind}'", codes.DATA)
    found = operations.policies.matching(
        control.broker, operations.policies.POLICY, request.vhost, request.arguments[0], is_queue=kind == "queue"
    )
    rows = [
        {"vhost": request.vhost, "name": each.name, **each.value(), "definition": json_text(each.definition)}
        for each in found
    ]
    return table(("vhost", "name", "pattern", "apply-to", "definition", "priority"), rows)


def _set(control: Control, request: Request, kind: PolicyKind) -> Answer:
    from warren.core.administration import operations

    name, pattern, definition = request.arguments
    policy = operations.policies.set_policy(
        control.broker,
        kind,
        request.vhost,
        name,
        pattern,
        parse_json(definition),
        priority=_priority(request),
        apply_to=str(request.options.get("apply_to") or "all"),
    )
    in_cluster = control.broker.cluster is not None
    warning = operations.policies.mirroring_warning(policy.definition, in_cluster=in_cluster)
    return done(f"Warning: {warning}" if warning is not None else "")


def _priority(request: Request) -> int:
    given = str(request.options.get("priority") or "0")
    try:
        return int(given)
    except ValueError:
        raise RefusedError(f"--priority must be a number, not '{given}'", codes.USAGE) from None

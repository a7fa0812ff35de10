"""The word that says where a message would go, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, value
from warren.gateway.control.word import VHOST, Option, word

if TYPE_CHECKING:
    from warren.core.administration.explaining.explanation import BindingSeen, Explanation, QueueReached, Step
    from warren.core.messages.properties import Properties

HEADER: Final = Option("header", "NAME=VALUE", repeats=True)
PROPERTY: Final = Option("property", "NAME=VALUE", repeats=True)
USER: Final = Option("user", "USER")
MQTT_TOPIC: Final = Option("mqtt_topic", "TOPIC")

SHOWN_MAX: Final = 10
"""Bindings of each sort, and queues, in the text; --formatter json has more."""

INTEGERS: Final = ("delivery_mode", "priority", "timestamp")


@word(
    "[EXCHANGE] [KEY]",
    "where a message would go, and why: nothing is published; --header and --property may be repeated",
    options=(VHOST, HEADER, PROPERTY, USER, MQTT_TOPIC),
    example="amq.topic devices.ada.temperature --user ada",
)
async def explain(control: Control, request: Request) -> Answer:
    """Warren's own; `--user` asks what that user may do, `--mqtt-topic` stands for exchange and key."""
    from warren.adapters.mqtt.sessions.operations.topic_names import address_of
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    topic = request.options.get("mqtt_topic")
    if topic is not None and request.arguments:
        raise RefusedError("--mqtt-topic stands for exchange and key: give one or the other", codes.USAGE)
    if topic is None and not request.arguments:
        raise RefusedError("name an exchange ('' or amq.default is the default one), or a --mqtt-topic", codes.USAGE)
    if topic is not None:
        exchange, key = address_of(control.broker, str(topic))
    else:
        exchange, key = request.arguments[0], "".join(request.arguments[1:])
    user = request.options.get("user")
    steps = operations.explain.explain(
        control.broker,
        request.vhost,
        "" if exchange == "amq.default" else exchange,
        key,
        _properties(request),
        user=None if user is None else str(user),
    )
    found = await in_turns(steps)
    return value(asdict(found), "\n".join(_text(found)))


def _properties(request: Request) -> Properties:
    from warren.core.errors import PreconditionFailed
    from warren.core.messages.properties import EMPTY, PropertyChanges, encode_properties

    changes: dict[str, object] = {}
    for name, text in _pairs(request, "property"):
        if name not in PropertyChanges.__annotations__ or name == "headers":
            known = ", ".join(each for each in PropertyChanges.__annotations__ if each != "headers")
            raise RefusedError(f"there is no property '{name}'; the properties are {known}", codes.USAGE)
        if name in INTEGERS and not (text.isascii() and text.isdigit() and len(text) < 20):
            raise RefusedError(f"the property {name} is a number, not '{text}'", codes.USAGE)
        changes[name] = int(text) if name in INTEGERS else text
    headers = {name: _header_value(text) for name, text in _pairs(request, "header")}
    if headers:
        changes["headers"] = headers
    try:
        return encode_properties(**changes) if changes else EMPTY  # type: ignore[arg-type]
    except (ValueError, PreconditionFailed) as error:
        raise RefusedError(f"the properties can't be: {error}", codes.USAGE) from None


def _pairs(request: Request, option: str) -> list[tuple[str, str]]:
    given = request.options.get(option, [])
    pairs = []
    for each in given if isinstance(given, list) else [given]:
        name, equals, text = str(each).partition("=")
        if not name or not equals:
            raise RefusedError(f"--{option} needs NAME=VALUE, not '{each}'", codes.USAGE)
        pairs.append((name, text))
    return pairs


def _header_value(text: str) -> object:
    """A number, true, false, or a text in quotes are as JSON has them; anything else is a text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, bool | int | float | str) else text


def _text(found: Explanation) -> list[str]:
    lines = [found.text]
    for number, step in enumerate(found.steps, 1):
        lines += ["", *_step_text(number, step)]
    if found.queues:
        lines += ["", "Queues:"]
    for queue in found.queues[:SHOWN_MAX]:
        lines += _queue_text(queue)
    if found.queue_count > SHOWN_MAX:
        lines.append(f"  and {found.queue_count - SHOWN_MAX} more")
    return lines


def _step_text(number: int, step: Step) -> list[str]:
    lines = [f"{number}. {step.text}"]
    for sign, bindings, count in (("+", step.matched, step.matched_count), ("-", step.missed, step.missed_count)):
        lines += [f"   {sign} {_binding_text(each)}" for each in bindings[:SHOWN_MAX]]
        if count > SHOWN_MAX:
            lines.append(f"   {sign} and {count - SHOWN_MAX} more")
    return lines


def _binding_text(each: BindingSeen) -> str:
    arguments = f" {json.dumps(each.arguments, sort_keys=True)}" if each.arguments else ""
    return f"{each.destination_type} '{each.destination}' ('{each.routing_key}'{arguments}): {each.reason}"


def _queue_text(queue: QueueReached) -> list[str]:
    whose = f", of {queue.whose}" if queue.whose else ""
    ready = f"{queue.messages_ready} ready, {queue.consumer_count} consumer(s)"
    lines = [f"  {queue.name} ({queue.type}): {_taking(queue)}; {ready}{whose}"]
    lines += [f"    consumed by {each}" for each in queue.consumers]
    lines += [f"    {each}" for each in queue.notes]
    if queue.dead_letters is not None:
        lines.append(f"    {queue.dead_letters.text}")
    return lines


def _taking(queue: QueueReached) -> str:
    words = {"take": "takes it", "refuse": "refuses it", "drop": "drops it"}
    return words[queue.takes] + (" when it is due" if queue.delayed else "")

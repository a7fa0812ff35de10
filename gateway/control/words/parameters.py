"""The commands of the control socket on runtime parameters."""

from __future__ import annotations

from warren.core.administration.parameters import clear_parameter, list_parameters, set_parameter
from warren.gateway.control.target import Answer, Control, Handler, Request, done, existing_vhost, table
from warren.gateway.control.words.policies import as_text, parse_json


def _set_parameter(control: Control, request: Request) -> Answer:
    component, name, value = request.arguments
    vhost = existing_vhost(control, request.vhost).name
    set_parameter(control.server.broker, vhost, component, name, parse_json(value))
    return done()


def _clear_parameter(control: Control, request: Request) -> Answer:
    component, name = request.arguments
    clear_parameter(control.server.broker, existing_vhost(control, request.vhost).name, component, name)
    return done()


def _list_parameters(control: Control, request: Request) -> Answer:
    found = list_parameters(control.server.broker, existing_vhost(control, request.vhost).name)
    rows = [{"component": each.component, "name": each.name, "value": as_text(each.value)} for each in found]
    return table(("component", "name", "value"), rows)


def _set_global_parameter(control: Control, request: Request) -> Answer:
    name, value = request.arguments
    control.server.broker.parameters.set_global(name, parse_json(value))
    return done()


def _clear_global_parameter(control: Control, request: Request) -> Answer:
    control.server.broker.parameters.clear_global(request.arguments[0])
    return done()


def _list_global_parameters(control: Control, request: Request) -> Answer:
    found = control.server.broker.parameters.globals()
    return table(("name", "value"), [{"name": name, "value": as_text(value)} for name, value in found])


HANDLERS: dict[str, Handler] = {
    "set_parameter": _set_parameter,
    "clear_parameter": _clear_parameter,
    "list_parameters": _list_parameters,
    "set_global_parameter": _set_global_parameter,
    "clear_global_parameter": _clear_global_parameter,
    "list_global_parameters": _list_global_parameters,
}
"""By word."""

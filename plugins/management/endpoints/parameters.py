"""Runtime parameters of components, and those of the whole broker."""

from __future__ import annotations

from typing import Final

from warren.core.administration import operations, vhost_limits
from warren.core.administration.listing.parameters import GlobalParameterRow, ParameterRow
from warren.core.administration.listing.selecting import equals
from warren.core.administration.operations.policies import OPERATOR_POLICY
from warren.core.administration.parameters import Parameter, list_parameters, parameter_row
from warren.core.errors import NoSuchParameter
from warren.plugins.management import objects
from warren.plugins.management.access import ADMINISTRATOR_TAG, Needs, check_tags
from warren.plugins.management.bodies import ValueBody
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.views import View, fields, listed, one

PARAMETERS: Final = View("parameters", fields("vhost", "component", "name", "value"))
GLOBALS: Final = View("global_parameters", fields("name", "value"))

ADMINISTRATORS_COMPONENTS: Final = (OPERATOR_POLICY, vhost_limits.COMPONENT)
"""What has endpoints of its own, for administrators alone, is no policymaker's by its parameters' name either."""

ONE: Final = "/parameters/{component}/{vhost}/{parameter}"
GLOBAL: Final = "/global-parameters/{parameter}"


@endpoint("GET", "/parameters", "Runtime parameters.", needs=Needs.POLICYMAKER, answer=objects.Parameter, lists=True)
async def get_all_parameters(call: Call) -> Listed:
    return await listed(call, PARAMETERS)


@endpoint(
    "GET",
    "/parameters/{component}",
    "Runtime parameters of a component.",
    needs=Needs.POLICYMAKER,
    answer=objects.Parameter,
    lists=True,
)
async def get_parameters_of_component(call: Call) -> Listed:
    return await listed(call, PARAMETERS, equals("component", call.path["component"]))


@endpoint(
    "GET",
    "/parameters/{component}/{vhost}",
    "Those of them in a virtual host.",
    needs=Needs.POLICYMAKER,
    answer=objects.Parameter,
    lists=True,
)
async def get_parameters(call: Call) -> Listed:
    return await listed(call, PARAMETERS, equals("component", call.path["component"]))


@endpoint("GET", ONE, "A runtime parameter.", needs=Needs.POLICYMAKER, answer=objects.Parameter)
async def get_parameter(call: Call) -> object:
    found = _found(call)
    if found is None:
        raise NoSuchParameter(f"component '{call.path['component']}' has no parameter '{call.path['parameter']}'")
    return one(call, PARAMETERS, ParameterRow(found))


@endpoint("PUT", ONE, "Set a runtime parameter.", needs=Needs.POLICYMAKER, body=ValueBody)
async def put_parameter(call: Call) -> Created | None:
    body: ValueBody = call.body
    component, name = call.path["component"], call.path["parameter"]
    made = _found(call) is None or call.broker.has_just_made(*parameter_row(call.vhost, component, name))
    _check_component(call)
    if ADMINISTRATOR_TAG not in call.user.tags:
        operations.parameters.check_reach(call.broker, call.user, call.vhost, component, name, body.value)
    operations.parameters.set_parameter(call.broker, call.vhost, component, name, body.value)
    return Created() if made else None


@endpoint("DELETE", ONE, "Remove a runtime parameter.", needs=Needs.POLICYMAKER)
async def delete_parameter(call: Call) -> None:
    _check_component(call)
    operations.parameters.clear_parameter(call.broker, call.vhost, call.path["component"], call.path["parameter"])


@endpoint(
    "GET",
    "/global-parameters",
    "Parameters of the whole broker.",
    needs=Needs.POLICYMAKER,
    answer=objects.GlobalParameter,
    lists=True,
)
async def get_global_parameters(call: Call) -> Listed:
    return await listed(call, GLOBALS)


@endpoint("GET", GLOBAL, "One of them.", needs=Needs.POLICYMAKER, answer=objects.GlobalParameter)
async def get_global_parameter(call: Call) -> object:
    name = call.path["parameter"]
    for each, value in call.broker.parameters.globals():
        if each == name:
            return one(call, GLOBALS, GlobalParameterRow(name, value))
    raise NoSuchParameter(f"there is no global parameter '{name}'")


@endpoint("PUT", GLOBAL, "Set one of them.", needs=Needs.ADMINISTRATOR, body=ValueBody)
async def put_global_parameter(call: Call) -> Created | None:
    body: ValueBody = call.body
    name = call.path["parameter"]
    made = name not in dict(call.broker.parameters.globals())
    made = made or call.broker.has_just_made("global_parameter", "", name)
    operations.parameters.set_global(call.broker, name, body.value)
    return Created() if made else None


@endpoint("DELETE", GLOBAL, "Remove one of them.", needs=Needs.ADMINISTRATOR)
async def delete_global_parameter(call: Call) -> None:
    operations.parameters.clear_global(call.broker, call.path["parameter"])


def _check_component(call: Call) -> None:
    """Raise ApiError unless the user may change parameters of this component."""
    if call.path["component"] in ADMINISTRATORS_COMPONENTS:
        check_tags(call.user, Needs.ADMINISTRATOR)


def _found(call: Call) -> Parameter | None:
    wanted = call.path["component"], call.path["parameter"]
    of_vhost = list_parameters(call.broker, call.vhost)
    return next((each for each in of_vhost if (each.component, each.name) == wanted), None)

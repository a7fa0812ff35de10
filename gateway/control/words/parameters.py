"""Words on runtime parameters."""

from __future__ import annotations

from warren.gateway.control.json_text import parse_json
from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import VHOST, word


@word(
    "COMPONENT NAME VALUE",
    "set a runtime parameter of a plugin, a JSON value",
    'Setting runtime parameter "{1}" for component "{0}" to "{2}" in vhost "{vhost}" ...',
    options=(VHOST,),
    example='shovel up \'{"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://up", "dest-queue": "a"}\'',
)
def set_parameter(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    component, name, value = request.arguments
    operations.parameters.set_parameter(control.broker, request.vhost, component, name, parse_json(value))
    return done()


@word(
    "COMPONENT NAME",
    "remove a runtime parameter",
    'Clearing runtime parameter "{1}" for component "{0}" on vhost "{vhost}" ...',
    options=(VHOST,),
    example="shovel upstairs",
)
def clear_parameter(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.parameters.clear_parameter(control.broker, request.vhost, *request.arguments)
    return done()


@word(
    "",
    "runtime parameters of a virtual host",
    'Listing runtime parameters for vhost "{vhost}" ...',
    options=(VHOST,),
    example="-p orders",
    lists="parameters",
)
async def list_parameters(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await listing(control, "parameters", vhost=request.vhost, as_text=("value",))


@word(
    "NAME VALUE",
    "set a runtime parameter of the whole broker, a JSON value",
    'Setting global runtime parameter "{0}" to "{1}" ...',
    example='mqtt_default_vhosts \'{"O=client,CN=meter": "orders"}\'',
)
def set_global_parameter(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    name, value = request.arguments
    operations.parameters.set_global(control.broker, name, parse_json(value))
    return done()


@word(
    "NAME",
    "remove a global runtime parameter",
    'Clearing global runtime parameter "{0}" ...',
    example="mqtt_default_vhosts",
)
def clear_global_parameter(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.parameters.clear_global(control.broker, request.arguments[0])
    return done()


@word("", "global runtime parameters", "Listing global runtime parameters ...", lists="global_parameters")
async def list_global_parameters(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await listing(control, "global_parameters", as_text=("value",))

"""Words that change virtual hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import VHOST, Option, word

DESCRIBED_BY: Final = (
    Option("description", "TEXT"),
    Option("tags", "TAG,TAG"),
    Option("default_queue_type", "TYPE"),
)


class _Description(TypedDict, total=False):
    description: str
    tags: Sequence[str]
    default_queue_type: str


@word(
    "VHOST",
    "add a virtual host",
    'Adding vhost "{0}" ...',
    options=DESCRIBED_BY,
    example="orders --description 'The shop' --default-queue-type quorum",
)
def add_vhost(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    name = request.arguments[0]
    there = name in control.broker.vhosts
    operations.vhosts.add(control.broker, name, **_description(request, empty_too=False))
    return done(f"vhost '{name}' is there already, and stays as it is" if there else "")


@word("VHOST", "delete a virtual host and all that is in it", 'Deleting vhost "{0}" ...', example="orders")
async def delete_vhost(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; it is answered once all of it is gone."""
    from functools import partial

    from warren.core.administration import operations
    from warren.gateway.network.answered import answered

    await answered(partial(operations.vhosts.delete, control.broker, request.arguments[0]), control.server.changed)
    return done()


@word(
    "VHOST",
    "change what a virtual host is described by",
    'Updating metadata of vhost "{0}" ...',
    options=DESCRIBED_BY,
    example="orders --tags shop,production",
)
def update_vhost_metadata(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; an empty default queue type means none any more."""
    from warren.core.administration import operations

    description = _description(request, empty_too=True)
    operations.vhosts.existing(control.broker, request.arguments[0])
    if not description:
        raise RefusedError("give --description, --tags or --default-queue-type", codes.USAGE)
    operations.vhosts.update(control.broker, request.arguments[0], **description)
    return done()


@word(
    "VHOST [TAG]...",
    "replace a virtual host's tags",
    'Setting tags for virtual host "{0}" ...',
    example="orders shop production",
)
def set_vhost_tags(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    name, *given = request.arguments
    tags = [part.strip() for tag in given for part in tag.split(",") if part.strip()]
    operations.vhosts.update(control.broker, name, tags=tags)
    return done()


@word("VHOST", "refuse to delete a virtual host", 'Protecting vhost "{0}" from deletion ...', example="orders")
def enable_vhost_deletion_protection(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.vhosts.set_protection(control.broker, request.arguments[0], True)
    return done()


@word("VHOST", "let it be deleted again", 'Lifting the protection of vhost "{0}" from deletion ...', example="orders")
def disable_vhost_deletion_protection(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.vhosts.set_protection(control.broker, request.arguments[0], False)
    return done()


@word(
    "",
    "copy all publishes and deliveries of a virtual host to amq.rabbitmq.trace",
    'Starting tracing for vhost "{vhost}" ...',
    options=(VHOST,),
    example="-p orders",
)
def trace_on(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.vhosts.set_tracing(control.broker, request.vhost, True)
    return done(f"Trace enabled for vhost {request.vhost}")


@word("", "stop that", 'Stopping tracing for vhost "{vhost}" ...', options=(VHOST,), example="-p orders")
def trace_off(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.vhosts.set_tracing(control.broker, request.vhost, False)
    return done(f"Trace disabled for vhost {request.vhost}")


def _description(request: Request, *, empty_too: bool) -> _Description:
    """What the options say; an empty one says that there is nothing any more, if that means anything."""
    options = {name: str(value) for name, value in request.options.items() if value or empty_too}
    given: _Description = {}
    if "description" in options:
        given["description"] = options["description"]
    if "tags" in options:
        given["tags"] = [tag.strip() for tag in options["tags"].split(",") if tag.strip()]
    if "default_queue_type" in options:
        given["default_queue_type"] = options["default_queue_type"]
    return given

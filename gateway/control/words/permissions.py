"""Words on what users may do in virtual hosts."""

from __future__ import annotations

from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import VHOST, word


@word(
    "",
    "permissions in a virtual host",
    'Listing permissions for vhost "{vhost}" ...',
    options=(VHOST,),
    example="-p orders",
    lists="permissions",
)
async def list_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await listing(control, "permissions", vhost=request.vhost)


@word(
    "USER",
    "permissions of a user in every virtual host",
    'Listing permissions for user "{0}" ...',
    example="ada",
    lists="permissions",
)
async def list_user_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    columns = ("vhost", "configure", "write", "read")
    return await listing(control, "permissions", columns, user=request.arguments[0])


@word(
    "",
    "topic permissions in a virtual host",
    'Listing topic permissions for vhost "{vhost}" ...',
    options=(VHOST,),
    example="-p orders",
    lists="topic_permissions",
)
async def list_topic_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return await listing(control, "topic_permissions", vhost=request.vhost)


@word(
    "USER",
    "topic permissions of a user in every virtual host",
    'Listing topic permissions for user "{0}" ...',
    example="ada",
    lists="topic_permissions",
)
async def list_user_topic_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    columns = ("vhost", "exchange", "write", "read")
    return await listing(control, "topic_permissions", columns, user=request.arguments[0])


@word(
    "USER CONFIGURE WRITE READ",
    "let a user into a virtual host, with expressions for the names of queues and exchanges",
    'Setting permissions for user "{0}" in vhost "{vhost}" ...',
    options=(VHOST,),
    example="-p orders ada '^ada-.*' '.*' '.*'",
)
def set_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    user, configure, write, read = request.arguments
    operations.permissions.set_permissions(control.broker, user, request.vhost, configure, write, read)
    return done()


@word(
    "USER CONFIGURE WRITE READ",
    "let a user into every virtual host that there is",
    'Setting permissions for user "{0}" in all virtual hosts ...',
    example="ada '' '' '.*'",
)
def set_permissions_globally(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; virtual hosts to come aren't among them."""
    from warren.core.administration import operations

    user, configure, write, read = request.arguments
    operations.users.existing(control.broker, user)
    for vhost in [name for name, each in control.broker.vhosts.items() if not each.deleting]:
        operations.permissions.set_permissions(control.broker, user, vhost, configure, write, read)
    return done()


@word(
    "USER",
    "shut a user out of a virtual host",
    'Clearing permissions for user "{0}" in vhost "{vhost}" ...',
    options=(VHOST,),
    example="-p orders ada",
)
def clear_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.permissions.clear_permissions(control.broker, request.arguments[0], request.vhost)
    return done()


@word(
    "USER EXCHANGE WRITE READ",
    "narrow the routing keys a user may use with a topic exchange",
    'Setting topic permissions on "{1}" for user "{0}" in vhost "{vhost}" ...',
    options=(VHOST,),
    example="ada amq.topic '^devices\\.ada\\.' '.*'",
)
def set_topic_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    user, exchange, write, read = request.arguments
    operations.permissions.set_topic_permissions(control.broker, user, request.vhost, exchange, write, read)
    return done()


@word(
    "USER [EXCHANGE]",
    "lift that again, for one exchange or all of them",
    'Clearing topic permissions for user "{0}" in vhost "{vhost}" ...',
    options=(VHOST,),
    example="ada amq.topic",
)
def clear_topic_permissions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    user, *exchange = request.arguments
    operations.permissions.clear_topic_permissions(control.broker, user, request.vhost, *exchange)
    return done()

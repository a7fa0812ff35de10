"""Operations on exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.administration.operations import vhosts
from warren.core.declaring import exchanges
from warren.core.declaring.actor import Administrator
from warren.core.messages.field_table import encode_table

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.storage.definitions.store import JSON

NO_ARGUMENTS: Final[Mapping[str, JSON]] = {}


def existing(broker: Broker, vhost: str, name: str) -> Exchange:
    """The exchange of this name; NotFound when there is none, or no such virtual host."""
    return vhosts.existing(broker, vhost).exchange(name)


def declare(
    broker: Broker,
    vhost: str,
    name: str,
    type_name: str,
    *,
    durable: bool = True,
    auto_delete: bool = False,
    internal: bool = False,
    arguments: Mapping[str, JSON] = NO_ARGUMENTS,
    user: User | str | None = None,
) -> tuple[Exchange, bool]:
    """Make an exchange, or agree with the one that is there; the exchange, and True when it was made.

    arguments: as JSON has them.  user: whose permissions count, None for the broker's owner.  Raises NotFound for an
    unknown virtual host, and what `core.declaring.exchanges.declare_exchange` raises.
    """
    found = vhosts.existing(broker, vhost)
    before = len(found.exchanges)
    table = table_from_json(arguments)
    exchange = exchanges.declare_exchange(
        Administrator(found, user),
        name,
        type_name,
        durable=durable,
        auto_delete=auto_delete,
        internal=internal,
        arguments=table,
        arguments_raw=encode_table(table),
    )
    return exchange, len(found.exchanges) > before or broker.has_just_made("exchange", vhost, name)


def delete(broker: Broker, vhost: str, name: str, *, if_unused: bool = False, user: User | str | None = None) -> None:
    """Delete an exchange.  user: as in `declare`.

    Raises NotFound, AccessRefused for predeclared ones or a lack of permission, PreconditionFailed for one in use.
    """
    in_vhost = vhosts.existing(broker, vhost)
    if broker.agreements is not None and broker.agreements.is_agreed(("no exchange", vhost, name)):
        return
    found = existing(broker, vhost, name)
    exchanges.delete_exchange(Administrator(in_vhost, user), found.name, if_unused=if_unused)

"""What an operator decides about listeners whose HTTP is for browsers, too."""

from __future__ import annotations

from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import names
from warren.core.frozen import frozen


@frozen
class StreamSettings:
    """host_names: see host_names.py."""

    host_names: frozenset[str] = configured(
        Key(
            "http_host_names",
            names,
            frozenset[str](),
            "Names, such as broker.example, by which the management API, its page and metrics may be asked for on this "
            "machine's loopback addresses, beside localhost, the machine's own name and addresses; `*` for any. A "
            "proxy on this machine that passes its clients' Host on needs its name here.",
        )
    )

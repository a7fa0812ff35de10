"""The kinds of listings that Warren brings, beside those of protocols."""

from __future__ import annotations

from warren.core.administration.listing.bindings import BINDINGS
from warren.core.administration.listing.channels import CHANNELS
from warren.core.administration.listing.connections import CONNECTIONS
from warren.core.administration.listing.consumers import CONSUMERS
from warren.core.administration.listing.exchanges import EXCHANGES
from warren.core.administration.listing.limit_hits import LIMIT_HITS
from warren.core.administration.listing.parameters import GLOBAL_PARAMETERS, PARAMETERS
from warren.core.administration.listing.permissions import PERMISSIONS, TOPIC_PERMISSIONS
from warren.core.administration.listing.policies import OPERATOR_POLICIES, POLICIES
from warren.core.administration.listing.queues import QUEUES
from warren.core.administration.listing.stream_groups import STREAM_GROUPS
from warren.core.administration.listing.super_streams import SUPER_STREAMS
from warren.core.administration.listing.users import USERS
from warren.core.administration.listing.vhosts import VHOSTS

BUILT_IN = (
    VHOSTS,
    QUEUES,
    EXCHANGES,
    STREAM_GROUPS,
    SUPER_STREAMS,
    BINDINGS,
    CONNECTIONS,
    CHANNELS,
    CONSUMERS,
    USERS,
    PERMISSIONS,
    TOPIC_PERMISSIONS,
    POLICIES,
    OPERATOR_POLICIES,
    PARAMETERS,
    GLOBAL_PARAMETERS,
    LIMIT_HITS,
)

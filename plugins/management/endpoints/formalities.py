"""What clients of RabbitMQ ask for and has one answer here, as there is one node, one version and no feature flags."""

from __future__ import annotations

import os
from typing import Any, Final

from warren.core.access import passwords
from warren.core.errors import NotFound
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.endpoints.nodes import check_node

NO_UAA: Final = {"enable_uaa": False, "uaa_client_id": "", "uaa_location": ""}
"""What older pages of RabbitMQ's ask for."""


@endpoint("GET", "/version", "The version of RabbitMQ whose clients this is for.", answer=str)
async def get_version(call: Call) -> object:
    return call.node.rabbitmq_version


@endpoint("GET", "/auth", "How a page logs in.", needs=Needs.ANYBODY, answer=objects.Auth)
async def get_auth(call: Call) -> object:
    login = call.node.login
    if not login.by_token:
        return {"oauth_enabled": False, **NO_UAA}
    return {
        "oauth_enabled": True,
        "oauth_disable_basic_auth": not login.basic,
        "oauth_client_id": login.client_id,
        "oauth_provider_url": login.provider_url,
        "oauth_metadata_url": login.metadata_url,
        "oauth_scopes": login.scopes,
        **NO_UAA,
    }


@endpoint(
    "GET",
    "/auth/hash_password/{password}",
    "The hash of a password, as PUT of a user takes it.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.Hashed,
)
async def get_hash(call: Call) -> object:
    return {"ok": passwords.hash_password(call.path["password"], os.urandom(passwords.SALT_BYTES))}


@endpoint(
    "GET",
    "/config/effective",
    "The configuration in effect, without secrets.",
    needs=Needs.ADMINISTRATOR,
    answer=dict[str, Any],
)
async def get_configuration(call: Call) -> object:
    return call.context.facts.configuration()


@endpoint("GET", "/feature-flags", "Feature flags; there are none.", answer=objects.FeatureFlag, lists=True)
async def get_feature_flags(call: Call) -> Listed:
    return Listed([])


@endpoint("PUT", "/feature-flags/{flag}/enable", "Enable one; there are none.", needs=Needs.ADMINISTRATOR)
async def put_feature_flag(call: Call) -> None:
    raise NotFound(f"there is no feature flag '{call.path['flag']:.100}'")


@endpoint("GET", "/deprecated-features", "Deprecated features; there are none.", answer=objects.FeatureFlag, lists=True)
async def get_deprecated_features(call: Call) -> Listed:
    return Listed([])


@endpoint("GET", "/deprecated-features/used", "Those in use.", answer=objects.FeatureFlag, lists=True)
async def get_used_deprecated_features(call: Call) -> Listed:
    return Listed([])


@endpoint("POST", "/rebalance/queues", "Nothing: queues are on the one node.", needs=Needs.ADMINISTRATOR)
async def rebalance_queues(call: Call) -> None:
    pass


@endpoint("DELETE", "/reset", "Forget all samples.", needs=Needs.ADMINISTRATOR)
async def reset(call: Call) -> None:
    call.node.sampler.clear()


@endpoint("DELETE", "/reset/{node}", "The same.", needs=Needs.ADMINISTRATOR)
async def reset_node(call: Call) -> None:
    check_node(call)
    call.node.sampler.clear()

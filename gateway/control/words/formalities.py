"""What scripts written for RabbitMQ ask for and has one answer here: feature flags, mirrors, unresponsive queues."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table, value
from warren.gateway.control.word import VHOST, Option, Remote, word

ALL_FLAGS: Final = "all"

FLAG_COLUMNS: Final = ("name", "state", "stability", "provided_by", "desc", "doc_url")
DEPRECATION_COLUMNS: Final = ("name", "deprecation_phase", "state", "provided_by", "desc", "doc_url")


@word(
    "[COLUMN]...",
    "feature flags; there are none",
    "Listing feature flags ...",
    remote=Remote.MANAGEMENT,
    example="name state",
)
def list_feature_flags(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return _none(request, FLAG_COLUMNS, ("name", "state"))


@word(
    "FLAG",
    "enable a feature flag, or all; there are none, so that all are enabled",
    'Enabling feature flag "{0}" ...',
    options=(Option("opt_in"), Option("experimental")),
    example="all",
)
def enable_feature_flag(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, which scripts call with `all` after each upgrade."""
    (flag,) = request.arguments
    if flag != ALL_FLAGS:
        raise RefusedError(f"there is no feature flag '{flag}': what Warren has is always on", codes.DATA)
    return done()


@word(
    "[COLUMN]...",
    "deprecated features; there are none",
    "Listing deprecated features ...",
    options=(Option("used"),),
    remote=Remote.MANAGEMENT,
    example="name state",
)
def list_deprecated_features(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return _none(request, DEPRECATION_COLUMNS, ("name", "deprecation_phase"))


@word("", "succeed if no deprecated feature is in use: there are none", remote=Remote.MANAGEMENT)
def check_if_any_deprecated_features_are_used(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    return value({"result": "ok"}, "No deprecated feature is in use")


@word("", "succeed if no policy wants mirrors, which there are none of", remote=Remote.MONITORING)
def check_if_cluster_has_classic_queue_mirroring_policy(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 where there is one."""
    from warren.core.administration import operations

    # A cluster gives what they ask for, in its own way.
    is_cluster = control.broker.cluster is not None
    wanting = [
        f"'{policy.name}' in vhost '{vhost}'"
        for vhost in control.broker.vhosts
        for kind in (operations.policies.POLICY, operations.policies.OPERATOR_POLICY)
        for policy in control.broker.policies.in_vhost(kind, vhost)
        if operations.policies.mirroring_warning(policy.definition) is not None
        and not (is_cluster and operations.policies.asks_for_replicas(policy.definition))
    ]
    if wanting:
        raise RefusedError(f"there are no mirrors, and policies want them: {', '.join(wanting)}", codes.SOFTWARE)
    return value({"result": "ok"}, "No policy wants mirrors")


@word(
    "[COLUMN]...",
    "queues that don't answer; all do, as they are part of the broker that does",
    "Listing unresponsive queues for vhost {vhost} ...",
    options=(VHOST, Option("queue_timeout", "MILLISECONDS"), Option("local"), Option("all")),
    remote=Remote.MANAGEMENT,
    example="name --local",
)
def list_unresponsive_queues(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.vhosts.existing(control.broker, request.vhost)
    return _none(request, control.broker.listings.kind("queues").row.columns, ("name",))


@word("[VHOST]", "nothing: a virtual host that is there is served", options=(VHOST,), example="orders")
def restart_vhost(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does of one that runs."""
    from warren.core.administration import operations

    name = request.arguments[0] if request.arguments else request.vhost
    operations.vhosts.existing(control.broker, name)
    return done(f"Vhost '{name}' is already running")


@word("", "succeed if no alarm is raised, by its older name", remote=Remote.MANAGEMENT)
def node_health_check(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, where it is deprecated."""
    raised = control.broker.alarms.raised()
    if raised:
        raise RefusedError(f"alarms are raised: {', '.join(raised)}", codes.SOFTWARE)
    return done("Health check passed")


def _none(request: Request, known: object, shown: tuple[str, ...]) -> Answer:
    """An empty table with these columns; UsageError for others."""
    from collections.abc import Collection
    from typing import cast

    columns = tuple(part for name in request.arguments for part in name.split(",") if part) or shown
    unknown = [name for name in columns if name not in cast("Collection[str]", known)]
    if unknown:
        raise RefusedError(f"unknown column {', '.join(unknown)}", codes.USAGE)
    return table(columns, [])

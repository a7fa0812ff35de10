"""RabbitMQ's words that do nothing here, each with why, and what to do instead: so says the error of who types one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ONE_NODE: Final = "a broker is one node, and there is no cluster to change"
_MEMBERS: Final = "a quorum queue has one member, on the one node; warren ctl quorum_status shows it"
_STREAMS: Final = "a stream is kept by this one broker: policies say for how long, and list_queues shows what is in it"
_ERLANG: Final = "Warren runs on Python, and nothing of Erlang's runtime is there"
_CODE: Final = (
    "no code is run in the broker from outside; words of warren ctl with --formatter json and the management API "
    "(docs/management.md) tell and do what scripts need"
)
_LOG: Final = "the log goes to standard error, where systemd, Docker or a shell keeps it; see there"
_ENCRYPTED: Final = (
    "values of the configuration aren't encrypted; keep secrets in a file that only the broker's user can read, or in "
    "its environment (WARREN_KEY)"
)
_EVENTS: Final = "events aren't streamed; warren top and warren tail show what goes on, the log what happened"
_TLS_OF_PEERS: Final = (
    "certificates of clients are checked against tls_ca_file; there is no store that they are put into"
)
_MIRRORS: Final = "there are no mirrors of queues; take ha-mode and the like out of the policies by set_policy"
_SOURCES: Final = "the configuration says whether attempts to log in are counted by source: track_auth_attempt_source"

_SHOVEL: Final = (
    "it comes with the plugin shovel, and no broker with it was found; `warren plugins enable shovel` enables it"
)
_FEDERATION: Final = (
    "it comes with the plugin federation, and no broker with it was found; "
    "`warren plugins enable federation` enables it"
)

NOT_HERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "change_cluster_node_type",
            "discover_peers",
            "force_boot",
            "force_standalone_khepri_boot",
            "has_reached_target_cluster_size",
            "join_cluster",
            "rename_cluster_node",
            "update_cluster_nodes",
        ),
        _ONE_NODE,
    ),
    **dict.fromkeys(
        (
            "add_member",
            "check_if_new_quorum_queue_replicas_have_finished_initial_sync",
            "delete_member",
            "force_checkpoint",
            "grow",
            "grow_to_count",
            "shrink",
            "transfer_leadership",
        ),
        _MEMBERS,
    ),
    **dict.fromkeys(
        (
            "add_replica",
            "coordinator_status",
            "delete_replica",
            "restart_stream",
            "set_stream_retention_policy",
            "stream_status",
        ),
        _STREAMS,
    ),
    **dict.fromkeys(
        (
            "erlang_cookie_hash",
            "erlang_cookie_sources",
            "erlang_version",
            "force_gc",
            "hipe_compile",
            "maybe_stuck",
            "metadata_store_status",
            "resolver_info",
            "runtime_thread_stats",
            "schema_info",
        ),
        _ERLANG,
    ),
    **dict.fromkeys(("delete_shovel", "restart_shovel", "shovel_status"), _SHOVEL),
    **dict.fromkeys(("federation_status", "restart_federation_link"), _FEDERATION),
    **dict.fromkeys(("eval", "eval_file", "exec", "remote_shell"), _CODE),
    **dict.fromkeys(("log_tail", "log_tail_stream", "rotate_logs"), _LOG),
    **dict.fromkeys(("decode", "decrypt_conf_value", "encode", "encrypt_conf_value"), _ENCRYPTED),
    **dict.fromkeys(("list_ciphers", "list_hashes"), f"they are for encode and decode: {_ENCRYPTED}"),
    **dict.fromkeys(("consume_event_stream", "observer"), _EVENTS),
    **dict.fromkeys(("list_trust_store_certificates", "refresh_trust_store"), _TLS_OF_PEERS),
    **dict.fromkeys(
        (
            "await_online_synchronized_mirror",
            "cancel_sync_queue",
            "list_operator_policies_with_classic_queue_mirroring",
            "list_policies_with_classic_queue_mirroring",
            "remove_classic_queue_mirroring_from_policies",
            "sync_queue",
        ),
        _MIRRORS,
    ),
    **dict.fromkeys(("disable_auth_attempt_source_tracking", "enable_auth_attempt_source_tracking"), _SOURCES),
    **dict.fromkeys(
        ("add_signing_key", "add_uaa_key"), "keys of tokens are named by the configuration; see docs/authentication.md"
    ),
    **dict.fromkeys(("command_line_arguments", "os_env"), "warren ctl environment shows what came of it"),
    **dict.fromkeys(
        ("list_channel_interceptors", "set_channel_interceptor_priorities"), "there are no interceptors of channels"
    ),
    "activate_free_disk_space_monitoring": "free disk space is always watched, while data is kept on a disk",
    "autocomplete": "warren ctl --help lists all words",
    "consistent_hash_exchange_ring_state": "warren explain EXCHANGE KEY says which queue a key leads to, and why",
    "deactivate_free_disk_space_monitoring": "free disk space is always watched; set_disk_free_limit 0 lifts the limit",
    "list_network_interfaces": "the system tells them: ip address",
    "list_web_mqtt_connections": "list_mqtt_connections lists those over WebSocket, too",
    "post_upgrade": "a new version needs nothing to be done after its start",
    "reconcile_vhosts": "a virtual host that is there is served",
    "reset_stats_db": "DELETE /api/reset forgets the management API's samples",
}
"""By word; from RabbitMQ 3.10 to 4.x."""

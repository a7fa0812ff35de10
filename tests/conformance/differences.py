"""Every known difference between Warren and the RabbitMQ that the scenario tests are held against (Debian's
3.10).

The tests say what Warren does.  Where RabbitMQ does otherwise, an entry here says what it does and why Warren
doesn't, so that no test is weaker than it could be.  An entry holds either the value that takes the place of
the one given to `expected(...)` in the test, or `FAILS` when the whole test can't pass there (it must then
fail).

`CLUSTER_DIFFERENCES` says the same of a client on a node of a cluster that has none of the durable queues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.conformance.scenario import OK, Refusal
from tests.conformance.stream_talk import CLOSED
from warren.adapters.stream.codec.keys import Code

FAILS: Final = object()

MAY_FAIL: Final = object()
"""As FAILS, where it depends on what comes first."""


@dataclass(frozen=True)
class Difference:
    """Why a broker differs, and what it does instead of what the scenario says."""

    reason: str
    instead: object


def without_verb(refusal: Refusal) -> Refusal:
    """3.10 doesn't say which kind of access it refuses."""
    text = refusal.text
    for verb in ("configure ", "write ", "read "):
        text = text.replace(f"{verb}access", "access")
    return Refusal(refusal.scope, refusal.code, text)


UNKNOWN_TYPE = "newer releases close the channel only; there is no need to take the other channels along"
PSEUDO_QUEUE = "newer releases say 403: the name is reserved, not missing"

DIFFERENCES: dict[str, Difference] = {
    "test_dead_letters.py::test_the_last_death_is_told_too": Difference(
        "x-last-death-* came with 3.13; it saves consumers from searching x-death", FAILS
    ),
    "test_dead_letters.py::test_several_reasons_in_one_history": Difference(
        "newer releases keep the latest death first; 3.10 turns the rest of the history round each time", FAILS
    ),
    "test_policies.py::test_a_ttl_for_what_waits_already": Difference(
        "a policy counts at once for what is there; RabbitMQ fixes a message's deadline when it comes in", FAILS
    ),
    "test_priorities.py::test_polling_a_queue_with_a_single_active_consumer": Difference(
        "newer releases refuse it: a poll would take messages past the one active consumer", OK
    ),
    "test_consumers.py::test_cancel_notice_asks_for_no_answer_and_takes_one": Difference(
        "the specification lets a client answer the broker's basic.cancel; 3.10 closes the connection with 503", FAILS
    ),
    "test_channels.py::test_long_texts_are_cut_between_characters": Difference(
        "3.10 cuts in the middle of a character, which is not UTF-8 any more", FAILS
    ),
    "test_direct_reply_to.py::test_replies_to_a_requester_that_is_gone_are_dropped": Difference(
        "newer releases always count an address as routed; 3.10 returns the reply as unroutable", FAILS
    ),
    "test_direct_reply_to.py::test_binding_the_pseudo_queue_is_refused[bind-short name]": Difference(
        PSEUDO_QUEUE, Refusal("channel", 404, "NOT_FOUND - no queue")
    ),
    "test_direct_reply_to.py::test_binding_the_pseudo_queue_is_refused[bind-address]": Difference(
        PSEUDO_QUEUE, Refusal("channel", 404, "NOT_FOUND - no queue")
    ),
    "test_direct_reply_to.py::test_binding_the_pseudo_queue_is_refused[unbind-short name]": Difference(
        PSEUDO_QUEUE, OK
    ),
    "test_direct_reply_to.py::test_binding_the_pseudo_queue_is_refused[unbind-address]": Difference(PSEUDO_QUEUE, OK),
    "test_exchange_lifecycle.py::test_unknown_type[nonsense]": Difference(
        UNKNOWN_TYPE, Refusal("connection", 503, "COMMAND_INVALID - unknown exchange type 'nonsense'")
    ),
    "test_exchange_lifecycle.py::test_unknown_type[empty]": Difference(
        UNKNOWN_TYPE, Refusal("connection", 503, "COMMAND_INVALID - invalid exchange type ''")
    ),
    "test_exchange_lifecycle.py::test_unknown_type[Direct]": Difference(
        UNKNOWN_TYPE, Refusal("connection", 503, "COMMAND_INVALID - unknown exchange type 'Direct'")
    ),
    "test_length_limits.py::test_a_full_queue_takes_what_somebody_waits_for": Difference(
        "such a message never lies in the queue, as with drop-head; 3.10 counts before it looks for a consumer", FAILS
    ),
    "test_negotiation.py::test_refused_limits": Difference(
        "3.10 closes the socket after 3 s without saying why; a client should be able to tell its user", FAILS
    ),
    **{
        f"test_permissions.py::{test}": Difference("newer releases say which permission is missing", without_verb)
        for test in (
            "test_foreign_queues",
            "test_foreign_exchanges",
            "test_the_default_exchange_is_called_amq_default",
            "test_permission_to_write_is_not_permission_to_read",
            "test_an_alternate_exchange_needs_its_own_permissions",
            "test_topic_permissions_on_publishing",
            "test_topic_permissions_on_binding",
            "test_a_dead_letter_exchange_needs_permissions_of_its_own",
            "test_a_queue_that_may_not_be_read_may_not_dead_letter",
        )
    },
    "test_permissions.py::test_passive_declares_without_any_permission": Difference(
        "newer releases want some permission; 3.10 tells anyone what exists", OK
    ),
    "test_permissions.py::test_topic_permissions_cover_extra_routing_keys": Difference(
        "newer releases check every key; 3.10 checks only the first, which lets a CC header around the permission", OK
    ),
    "test_prefetch.py::test_both_limits_together": Difference(
        "3.10 lets consumers with limits of their own exceed the limit of their channel", FAILS
    ),
    "test_publishing.py::test_messages_above_the_maximum_size": Difference(
        "the limit is 16 MiB in newer releases, 128 MiB in 3.10", OK
    ),
    **{
        f"test_queue_arguments.py::test_invalid_values_of_every_argument[x-delivery-limit={value}]": Difference(
            "3.10 takes anything for a delivery limit, and then has none", OK
        )
        for value in ("'5'", "True", "[5]")
    },
    "test_queue_lifecycle.py::test_a_server_named_queue_can_be_declared_again": Difference(
        "the prefix is reserved for new names; who got such a name from the broker may declare it again", FAILS
    ),
    "test_stream_protocol.py::test_versions_of_commands": Difference("the command came with 3.11", FAILS),
    "test_stream_protocol.py::test_numbers_of_a_stream": Difference("the command came with 3.11", FAILS),
    "test_stream_protocol.py::test_a_frame_that_is_too_large": Difference(
        "3.10 agrees on a size and doesn't look at it: it takes the frame, and finds that it is no command",
        [("close", Code.UNKNOWN_FRAME), CLOSED],
    ),
    "test_stream_protocol.py::test_an_argument_that_is_none[age]": Difference(
        "a declaration over AMQP with this age is refused; here 3.10 doesn't look at it", Code.OK
    ),
    "test_stream_protocol.py::test_a_reference_that_is_too_long": Difference(
        "newer releases refuse it, and so do clients", Code.OK
    ),
    "test_stream_protocol.py::test_no_reference_at_all": Difference(
        "the protocol says that a string may be null; 3.10 knows the empty one alone", FAILS
    ),
    **{
        f"test_stream_protocol.py::{test}": Difference(
            "3.10 answers without the bit by which clients know an answer", FAILS
        )
        for test in ("test_partitions_of_what_is_not", "test_a_route_to_what_is_not")
    },
    "test_streams.py::test_an_offset_that_is_none": Difference(
        "newer releases refuse it by name; 3.10 fails at it", Refusal("connection", 541, "INTERNAL_ERROR")
    ),
}
"""By `test_file.py::test_name[case]`."""

_SHARED = "what consumers were granted has left the queue, and waits here, while the credit that they share is used up"

CLUSTER_DIFFERENCES: dict[str, Difference] = {
    "test_prefetch.py::test_global_limit_holds_for_existing_consumers": Difference(_SHARED, MAY_FAIL),
    "test_prefetch.py::test_both_limits_together": Difference(_SHARED, MAY_FAIL),
    "test_prefetch.py::test_global_limit_is_shared_by_the_channel": Difference(_SHARED, 2),
}
"""The same, by the same keys, of a client on a node of a cluster that doesn't have the queue."""

_ABOUT = "is about how long something lives"

AS_DECLARED: dict[str, str] = {
    "test_queue_equivalence.py::test_different_flags": _ABOUT,
    "test_exchange_lifecycle.py::test_declaring_again_differently_is_refused": _ABOUT,
    "test_virtual_hosts.py::test_the_default_queue_type": _ABOUT,
}
"""Scenarios that declare what they say against a cluster, too, and why, by the same keys.  In all others, what is
declared with a name and no property is durable, so that queues are on the other node, and both have the exchanges.
"""

"""The sums of counters agree, whatever happens: what follows from other numbers with what was counted one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.counting import bind, consumer_of, declare, send
from tests.support.simulated_broker import SimulatedBroker
from warren.core.counters import total, vhost_counts

QUEUES = ("plain", "other", "short", "expiring", "refusing", "dead")

OTHER_STEPS = ("ack", "requeue", "discard", "get", "get_no_ack", "purge")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(("amq.fanout", "", "amq.topic")), st.sampled_from(QUEUES)),
        st.tuples(
            st.sampled_from(("ack", "requeue", "discard", "get", "get_no_ack", "purge")), st.sampled_from(QUEUES)
        ),
        st.tuples(st.just("credit"), st.sampled_from(QUEUES), st.integers(1, 3)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("advance"), st.integers(1, 30)),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_sums_agree_whatever_happens(steps: list[tuple[object, ...]]) -> None:
    """Queues count by conservation, exchanges by publishes: both must come to the same; and so for what was settled."""
    broker = SimulatedBroker()
    dead: dict[str, str | int] = {"x_dead_letter_exchange": "amq.direct", "x_dead_letter_routing_key": "dead"}
    arguments: dict[str, dict[str, str | int]] = {
        "short": {"x_max_length": 2, **dead},
        "expiring": {"x_message_ttl": 20, **dead},
        "refusing": {"x_max_length": 1, "x_overflow": "reject-publish-dlx", **dead},
        "other": {"x_delivery_limit": 1, **dead},
    }
    queues = {name: declare(broker, name, **arguments.get(name, {})) for name in QUEUES}
    for name in QUEUES:
        bind(broker, name, "amq.direct" if name == "dead" else "amq.fanout", name if name == "dead" else "")
    consumers = {name: consumer_of(queue, credit=0) for name, queue in queues.items()}
    acked = dict.fromkeys(QUEUES, 0)
    delivered = dict.fromkeys(QUEUES, 0)
    redelivered = dict.fromkeys(QUEUES, 0)

    def take(name: str) -> None:
        consumer = consumers[name]
        new = consumer.taken[len(seen[name]) :]
        delivered[name] += len(new)
        redelivered[name] += sum(flag for _, flag in new)
        seen[name] = list(consumer.taken)

    seen: dict[str, list[object]] = {name: [] for name in QUEUES}
    for step in steps:
        what = step[0]
        name = str(step[-1]) if step[-1] in QUEUES else str(step[1]) if len(step) > 1 else ""
        if what == "publish":
            send(broker, name, exchange=str(step[1]))
        elif what == "settle":
            broker.settle()
        elif what == "advance":
            assert isinstance(step[1], int)
            broker.advance(step[1])
        elif what == "credit":
            assert isinstance(step[2], int)
            consumers[name].give(step[2])
            broker.settle()
        elif what == "purge":
            queues[name].drop_ready()
        elif what in ("get", "get_no_ack"):
            polled = queues[name].poll(no_ack=what == "get_no_ack")
            delivered[name] += polled is not None
            redelivered[name] += polled is not None and polled[1]
            if polled is not None and what == "get":
                acked[name] += 1
                queues[name].acknowledge(polled[0])
        elif consumers[name].taken:
            take(name)
            if what == "ack":
                consumers[name].acknowledge(1)
                acked[name] += 1
            elif what == "requeue":
                consumers[name].requeue([0])
            else:
                queues[name].discard(consumers[name].taken.pop(0)[0])
            seen[name] = list(consumers[name].taken)
        for each in QUEUES:
            take(each)
    broker.settle()
    for name in QUEUES:
        take(name)
        counts = queues[name].message_counts
        assert all(count >= 0 for count in counts.values())
        assert (counts["ack"], counts["deliver_get"], counts["redeliver"]) == (
            acked[name],
            delivered[name],
            redelivered[name],
        )
        assert counts["publish_bytes"] == 5 * counts["publish"]
        assert counts["deliver_get_bytes"] == 5 * counts["deliver_get"]
    of_queues = total(queue.message_counts for queue in queues.values())
    exchanges = [each.counts for each in broker.vhost.exchanges.values()] + [broker.vhost.default_exchange_counts]
    assert sum(each.publish_out for each in exchanges) == of_queues["publish"]
    letters = sum(count for name, count in of_queues.items() if name.startswith("dead_letter_"))
    assert broker.vhost.exchanges["amq.direct"].counts.publish_in == letters
    of_vhost = vhost_counts(broker.vhost)
    for name, count in of_queues.items():
        if name not in ("publish", "publish_bytes"):
            assert of_vhost[name] == count

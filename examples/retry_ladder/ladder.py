"""A ladder of retries: a job that fails is tried again after one minute, after five, and after thirty, then given up.

Each rung is a queue whose messages return to the jobs when their time there is over. test_ladder.py beside it tries
half an hour of that in milliseconds:

    pip install pytest pytest-trio
    python -m pytest examples/retry_ladder
"""

from collections.abc import Awaitable, Callable

from warren.gateway import BrokerClient, encode_properties

RUNGS_S = (60, 300, 1800)

FAILURES = "failures"
"""The header that says how often a job has failed."""


async def declare(client: BrokerClient) -> None:
    """The jobs, the rungs, and what is given up."""
    await client.declare_queue("jobs", durable=True)
    await client.declare_queue("given-up", durable=True)
    for seconds in RUNGS_S:
        await client.declare_queue(
            f"jobs.after-{seconds}s",
            durable=True,
            arguments={
                "x-message-ttl": seconds * 1000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "jobs",
            },
        )


async def work(client: BrokerClient, do: Callable[[bytes], Awaitable[None]]) -> None:
    """Do jobs until cancelled."""
    async with client.consume("jobs", prefetch=1) as jobs:
        async for job in jobs:
            try:
                await do(job.body)
            except ValueError:
                counted = (job.properties.headers or {}).get(FAILURES)
                failures = counted if isinstance(counted, int) else 0
                properties = encode_properties(delivery_mode=2, headers={FAILURES: failures + 1})
                await client.publish("", _next_place(failures), job.body, properties, mandatory=True)
            job.ack()


def _next_place(failures: int) -> str:
    return f"jobs.after-{RUNGS_S[failures]}s" if failures < len(RUNGS_S) else "given-up"

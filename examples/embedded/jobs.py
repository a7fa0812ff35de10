"""A program with a broker inside: jobs go to workers in the same process, and what goes wrong is tried again later.

    python examples/embedded/jobs.py

prints

    3! = 6
    5! = 120
    20! = 2432902008176640000
    -1 has no factorial; given up after a second attempt
    all jobs are done

No network is used here. With `--listen amqp=127.0.0.1:5672`, other programs may submit jobs, too: for as long as this
one runs, it is a broker like any other. With `--data-dir DIR`, jobs that were submitted survive the program.
"""

import argparse
import math

import trio

from warren.gateway import BrokerClient, encode_properties, open_broker

PERSISTENT = encode_properties(delivery_mode=2)

RETRY_AFTER_MS = 200


async def main(data_directory: str | None, listen: list[str], numbers: list[int]) -> None:
    async with open_broker(data_directory, listen=listen) as broker, broker.connect(name="jobs") as client:
        await declare(client)
        for number in numbers:
            # Each is on disk, where there is one, before the next line runs.
            await client.publish("jobs", "factorial", str(number).encode(), PERSISTENT, mandatory=True)
        await work(client, len(numbers))
    print("all jobs are done")


async def declare(client: BrokerClient) -> None:
    """Jobs, and beside them those that wait for another attempt: they come back when their time there is over."""
    await client.declare_exchange("jobs", "topic", durable=True)
    await client.declare_queue(
        "jobs.ready", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "jobs.later"}
    )
    await client.declare_queue(
        "jobs.later",
        durable=True,
        arguments={
            "x-message-ttl": RETRY_AFTER_MS,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "jobs.ready",
        },
    )
    await client.bind_queue("jobs.ready", "jobs", "#")


async def work(client: BrokerClient, count: int) -> None:
    """Do jobs until `count` are over, one way or the other."""
    over = 0
    async with client.consume("jobs.ready", prefetch=1) as jobs:
        async for job in jobs:
            number = int(job.body)
            is_second_attempt = "x-death" in (job.properties.headers or {})
            try:
                print(f"{number}! = {math.factorial(number)}", flush=True)
            except ValueError:
                if not is_second_attempt:
                    job.reject()
                    continue
                print(f"{number} has no factorial; given up after a second attempt", flush=True)
            job.ack()
            over += 1
            if over == count:
                jobs.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Factorials, by a broker within this program.")
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--listen", action="append", default=[])
    parser.add_argument("numbers", nargs="*", type=int, default=[3, 5, -1, 20])
    arguments = parser.parse_args()
    trio.run(main, arguments.data_dir, arguments.listen, arguments.numbers)

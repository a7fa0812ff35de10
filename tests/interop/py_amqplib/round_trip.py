"""What a program written with py-amqplib does with a broker, told as one JSON object on standard output.

    python3 round_trip.py HOST:PORT NAME

py-amqplib 1.0.2 speaks AMQP 0-8: it opens with the header `AMQP` 1 1 9 1, asks for access tickets, and knows five
types of field values. NAME is free to use for a queue and an exchange, which are deleted again. The test that runs this
says what the values must be.
"""

import json
import sys
from datetime import datetime

from amqplib import client_0_8 as amqp

MESSAGES = 50


def round_trip(host: str, name: str) -> dict[str, object]:
    connection = amqp.Connection(host=host, userid="guest", password="guest", virtual_host="/")
    channel = connection.channel()
    channel.access_request("/", active=True, read=True, write=True)
    channel.exchange_declare(name, "topic", durable=False, auto_delete=True)
    channel.queue_declare(name, durable=True, exclusive=False, auto_delete=False)
    channel.queue_bind(name, name, "a.#")

    headers = {"text": "hello", "whole": 42, "when": datetime(2024, 5, 17, 12, 30), "nested": {"inner": "value"}}
    for number in range(MESSAGES):
        message = amqp.Message(
            f"message {number}", delivery_mode=2, content_type="text/plain", application_headers=headers
        )
        channel.basic_publish(message, exchange=name, routing_key="a.b")

    received: list[amqp.Message] = []

    def take(message: amqp.Message) -> None:
        received.append(message)
        channel.basic_ack(message.delivery_tag)

    channel.basic_qos(0, 10, False)
    tag = channel.basic_consume(name, callback=take)
    while len(received) < MESSAGES:
        channel.wait()
    channel.basic_cancel(tag)
    left = channel.basic_get(name)
    channel.queue_delete(name)
    channel.close()
    connection.close()
    return {
        "bodies": [message.body for message in received],
        "headers kept": received[-1].application_headers == headers,
        "left": left,
    }


print(json.dumps(round_trip(sys.argv[1], sys.argv[2])))

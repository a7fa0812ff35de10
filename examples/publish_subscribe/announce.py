"""Announce something to everybody who listens at this moment.

    python examples/publish_subscribe/announce.py "lunch is ready"

Each `listen.py` that runs now prints it. With none running it is gone, as there is no queue to keep it. Prints

    announced: lunch is ready
"""

import argparse
import os

import pika

parser = argparse.ArgumentParser(description="Announce a text through the exchange 'announcements'.")
parser.add_argument("text")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()

    # A fanout exchange copies each message to every queue bound to it; the routing key means nothing to it.
    channel.exchange_declare("announcements", exchange_type="fanout")
    channel.basic_publish(exchange="announcements", routing_key="", body=arguments.text.encode())
    print(f"announced: {arguments.text}")

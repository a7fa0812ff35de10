"""Publish one reading to a topic over STOMP.

    python examples/stomp_topics/measure.py barn.loft.temperature 21.5

Whoever watches a matching topic at this moment gets it, by STOMP or, through the exchange amq.topic, by AMQP. Prints

    barn.loft.temperature is 21.5
"""

import argparse
import os
from urllib.parse import urlsplit

import stomp

parser = argparse.ArgumentParser(description="Publish one reading.")
parser.add_argument("topic")
parser.add_argument("value")
parser.add_argument("--url", default=os.environ.get("STOMP_URL", "stomp://guest:guest@127.0.0.1:61613"))
arguments = parser.parse_args()

url = urlsplit(arguments.url)
connection = stomp.Connection12([(url.hostname, url.port)], vhost="/")
connection.connect(url.username, url.password, wait=True)
connection.send(f"/topic/{arguments.topic}", arguments.value)

# Leaves with a receipt, which says that what was sent before has arrived.
connection.disconnect()
print(f"{arguments.topic} is {arguments.value}")

"""Place an order, which goes to whoever delivers to that country.

    python examples/routing/order.py norway "three chairs"

The country is the routing key. An order for a country that nobody delivers to comes back, as it is published with
`mandatory`. Prints one of

    ordered: three chairs to norway
    nobody delivers to norway
"""

import argparse
import os

import pika
from pika.exceptions import UnroutableError

parser = argparse.ArgumentParser(description="Place an order through the exchange 'orders'.")
parser.add_argument("country")
parser.add_argument("goods")
parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672"))
arguments = parser.parse_args()

with pika.BlockingConnection(pika.URLParameters(arguments.url)) as connection:
    channel = connection.channel()
    channel.confirm_delivery()

    # A direct exchange routes to the queues that are bound with exactly the message's routing key.
    channel.exchange_declare("orders", exchange_type="direct")
    try:
        channel.basic_publish("orders", arguments.country, arguments.goods.encode(), mandatory=True)
        print(f"ordered: {arguments.goods} to {arguments.country}")
    except UnroutableError:
        print(f"nobody delivers to {arguments.country}")

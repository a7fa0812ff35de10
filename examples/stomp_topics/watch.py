"""Print the readings whose topic matches one of some patterns, over STOMP, until Ctrl-C.

    python examples/stomp_topics/watch.py 'barn.*.temperature' '#.humidity'

In a pattern `*` stands for exactly one word and `#` for any number of them, also none. Each pattern is a subscription
of its own, so a reading that matches two is printed twice. With `measure.py barn.loft.temperature 21.5` run beside it,
this prints

    watching barn.*.temperature, #.humidity, Ctrl-C stops
    barn.loft.temperature: 21.5
"""

import argparse
import os
import queue
from urllib.parse import urlsplit

import stomp

parser = argparse.ArgumentParser(description="Print the readings that match some patterns.")
parser.add_argument("patterns", nargs="+", metavar="pattern")
parser.add_argument("--url", default=os.environ.get("STOMP_URL", "stomp://guest:guest@127.0.0.1:61613"))
arguments = parser.parse_args()


class Readings(stomp.ConnectionListener):
    def __init__(self) -> None:
        self.subscribed: queue.Queue[None] = queue.Queue()

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        self.subscribed.put(None)

    def on_message(self, frame: stomp.utils.Frame) -> None:
        print(f"{frame.headers['destination'].removeprefix('/topic/')}: {frame.body}", flush=True)


url = urlsplit(arguments.url)
readings = Readings()
connection = stomp.Connection12([(url.hostname, url.port)], vhost="/")
connection.set_listener("readings", readings)
connection.connect(url.username, url.password, wait=True)
for number, pattern in enumerate(arguments.patterns):
    connection.subscribe(f"/topic/{pattern}", id=str(number), headers={"receipt": str(number)})
    readings.subscribed.get()
print(f"watching {', '.join(arguments.patterns)}, Ctrl-C stops", flush=True)
try:
    while True:
        readings.subscribed.get()
except KeyboardInterrupt:
    connection.disconnect()
    print("stopped")

"""Traces of messages for OpenTelemetry: spans for each publish, route, delivery and settlement.

settings     what an operator decides
context      the W3C trace context, as text and taken apart
carrying     where a message carries it, by the protocol that published it
span         a span that is over, as the hub notes it
describing   the attributes of spans, by the semantic conventions for messaging
sampling     which messages are traced
observer     what becomes spans: the broker's side
exporting    the thread that sends them to a collector, and what it drops
plugin       puts them together
"""

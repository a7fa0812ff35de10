"""Where a message goes: the exchange types. Importing the package registers the built-in ones."""

from core.exchanges import direct, fanout, headers, topic

__all__ = ["direct", "fanout", "headers", "topic"]

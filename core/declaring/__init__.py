"""Declaring and deleting queues, exchanges and bindings: names, checks, equivalence (AMQP 0-9-1 1.6, 1.7)."""

"""AMQP 1.0: bytes in, broker calls, bytes out (OASIS AMQP 1.0, parts 1 to 5)."""

"""AMQP 0-9-1's frames, methods and content headers as bytes and back; knows no connection."""

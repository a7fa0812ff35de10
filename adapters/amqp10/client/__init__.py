"""The client's half of AMQP 1.0, for what reaches other brokers."""

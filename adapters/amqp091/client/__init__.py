"""The client's half of AMQP 0-9-1, for what reaches other brokers: no sockets, no clocks."""

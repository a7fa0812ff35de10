"""The client's half of STOMP 1.0 to 1.2, for what reaches other brokers: no sockets, no clocks."""

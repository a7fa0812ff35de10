"""The client's half of MQTT 3.1.1 and 5, for what reaches other brokers: no sockets, no clocks."""

"""Connections to other brokers: sockets, TLS and time for the client halves of the adapters."""

"""Sockets: the hub that owns them, listeners, links, and what stands between a socket and a session."""

"""The client's half of HTTP/1.1, for what reaches other services."""

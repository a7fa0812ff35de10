"""HTTP and WebSocket between a socket and the sessions of other protocols (RFC 9112, RFC 6455, RFC 7692; spec D)."""

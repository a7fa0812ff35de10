"""TLS over memory buffers, certificates and what can be wrong with them."""

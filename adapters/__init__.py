"""One folder per protocol: bytes in, calls of the broker, bytes out, without I/O."""

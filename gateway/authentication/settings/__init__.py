"""Keys of authentication back-ends."""

"""Who knows users beside the broker: back-ends over HTTP, by tokens, and of plugins (docs/authentication.md)."""

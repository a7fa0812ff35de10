"""The stream protocol's frames and commands, without a session."""

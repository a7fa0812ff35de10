"""What each method of a channel does, by its class."""

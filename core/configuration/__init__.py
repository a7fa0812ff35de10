"""What a configuration key is, for whoever declares some: the broker, its protocols, plugins."""

"""One process or program that runs a broker: its data directory, runs, commits, resources and log."""

"""What the broker knows of whoever is connected: clients, their limits, outboxes, confirms and transports."""

"""The management API: what RabbitMQ's clients and tools ask of port 15672 (docs/management.md, spec F.1 to F.4)."""

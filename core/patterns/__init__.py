"""Regular expressions as RabbitMQ's users write them."""

"""RabbitMQ's stream protocol."""

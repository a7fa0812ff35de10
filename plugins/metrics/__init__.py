"""What there is to measure, in Prometheus' format, under RabbitMQ's names (docs/metrics.md)."""

"""RabbitMQ's definitions JSON: all that a broker was told to have, to keep it, to copy it and to carry it elsewhere."""

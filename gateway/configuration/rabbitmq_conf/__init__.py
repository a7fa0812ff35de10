"""rabbitmq.conf, as far as its keys have a meaning here."""

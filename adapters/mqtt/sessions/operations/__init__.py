"""What administrators do with MQTT's side of a broker, for whoever asks (core.administration.operations)."""

"""The exchange type that holds messages back until they are due (x-delayed-message)."""

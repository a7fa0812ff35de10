"""STOMP's frames as bytes and back; knows no session."""

"""Queues of type stream."""

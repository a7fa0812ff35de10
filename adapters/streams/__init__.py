"""Bytes as they come, for listeners whose protocol somebody else in the process speaks, such as a plugin."""

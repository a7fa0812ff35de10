"""The command `warren`, on the side of whoever types it."""

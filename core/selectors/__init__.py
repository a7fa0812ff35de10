"""Expressions by which consumers say which messages they want."""

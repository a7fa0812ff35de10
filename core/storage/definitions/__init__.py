"""Where the broker keeps what was declared: one interface, a store in SQLite and a store in memory."""

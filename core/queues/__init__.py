"""Queue types, and what consumers, unacknowledged messages and dead letters need of them."""

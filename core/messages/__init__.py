"""Messages: what is published, with its properties, and what the broker reads of and adds to them."""

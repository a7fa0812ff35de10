"""What the sessions of all protocols are put together from: small owners of one thing each, never a base class."""

"""What the client halves of all protocols have in common: where another broker is, and how a connection to it ends."""

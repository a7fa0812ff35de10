"""What administrators ask for, without a client: operations, listings, parameters, definitions."""

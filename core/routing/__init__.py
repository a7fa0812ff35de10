"""Virtual hosts, and the way of a message from an address through exchanges to queues."""

"""Links between the nodes of a cluster: the side that reaches queues of other nodes (AMQP 0-9-1's client half)."""

"""What a cluster of many nodes costs beside its messages: simulated nodes in one process, without sockets."""

"""What all nodes of a cluster share, beside messages: agreed on in a bucket of keys, and done on every node alike."""

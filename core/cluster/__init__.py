"""Which queue belongs to which shard, and which shard to which node of a cluster: arithmetic, no I/O."""

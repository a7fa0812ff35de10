"""The storage engine of replicated queues: the message log on this node's disk, and the same in a replicated stream."""

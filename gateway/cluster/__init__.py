"""This node in a cluster: who else is there, which shards are whose, and the logs of those that are this node's."""

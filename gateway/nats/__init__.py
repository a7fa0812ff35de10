"""A small client of NATS and JetStream: what a cluster of Warrens keeps its logs and its agreements in."""

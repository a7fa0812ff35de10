"""The classic queue type: messages in order of publishing or priority, on one node."""

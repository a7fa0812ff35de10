"""What no start waits for: modules that are imported behind the ready line, and connections that wait for theirs."""

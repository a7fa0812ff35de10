"""Where a message would go, and why: a dry run of a publish."""

"""Who may log in, and what they may do: users, passwords, permissions and topic permissions."""

"""HTTP towards others: what is fetched from a service, and what is sent to one."""

"""The PROXY protocol, versions 1 and 2, on the receiving side (HAProxy, "The PROXY protocol", 2020/03/05)."""

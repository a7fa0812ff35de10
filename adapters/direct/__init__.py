"""Programs in the broker's own process: a client without bytes, which plugins and embedding programs are.

Everything here is a plain call, as in every adapter; `gateway.client` adds the waiting.
"""

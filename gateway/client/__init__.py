"""The in-process client: async functions on Trio for plugins and for programs that embed a broker.

What the broker does for it is in adapters.direct, which doesn't wait; here is the waiting.  Whatever a client did is
settled by the hub's next turn (`Hub.request_turn`), and it is the broker's turns that wake whoever waits here: nothing
polls.
"""

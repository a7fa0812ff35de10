"""Federation: exchanges and queues that get messages from other brokers, as their policies say.

upstream       where another broker is, read from runtime parameters; sets of upstreams
resolving      from a policy to upstreams
links          all links, as parameters, policies, exchanges and queues come and go
link           one link for as long as it is wanted, and its cleaning up
kept           which links have made something at an upstream, over restarts
work           what the work of a link is to the link
exchange_link  the work of a link of an exchange
queue_link     the work of a link of a queue
queue_source   the queue that it takes from, while consumers here wait for more
queue_headers  what a message is given on its way from queue to queue
declaring      looking for things at an upstream, and making them
bindings       which bindings an upstream exchange is to have
ways           where messages and bindings have been: x-received-from, x-bound-from
upstream_exchange    x-federation-upstream, which downstreams bind to what they federate of ours
names          what a link calls its things at the upstream
messages       what a link takes of messages, and how they go on
known_properties    property lists as they go on, so that most are made once
remembered     which messages are here for certain
room           whether the queues here would take a message
listing, plugin    status, words, counters
"""

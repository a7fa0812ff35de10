"""What of MQTT outlives a socket: sessions, their subscriptions and packet identifiers, shared subscriptions.

Nothing here knows MQTT's bytes.  An adapter attaches to a session as its holder while its client is connected.

    topics          topic names and filters as routing keys, and back
    names           what topics are called in AMQP, as the broker is configured
    subscription    one filter with its options
    session_queue   the queue behind a session
    sharing         who of a shared subscription's members gets a message
    outgoing        a message of QoS 1 or 2 on its way to a client
    session         a client's session, and its QoS 2 state on disk
    records         what that state is on disk
    registry        the sessions of a virtual host, and how they come back after a restart
    world           those of all virtual hosts
    traffic         counters and rates
    publishing      messages that the broker publishes by itself: wills, retained ones
    system_topics   $SYS
"""

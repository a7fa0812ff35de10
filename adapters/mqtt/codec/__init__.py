"""MQTT's packets as bytes and back: 3.1, 3.1.1 and 5.0, for servers and clients alike.

    packets         the fifteen control packets as classes
    decode, encode  between packets and bytes
    publish         PUBLISH without making objects, for the hot path
    topics          topic names and filters: what is valid, and their words
    properties      MQTT 5's properties
    reason_codes    MQTT 5's reason codes, and what MQTT 3 has in their place
    sender          what only a server, or only a client, may send
    errors          the two ways in which bytes can be wrong
    versions        the protocol levels

Nothing here waits, and nothing here remembers anything between two packets.
"""

"""What plugins share that bring messages from one broker to another: shovels, and federation.

ends           what a pump wants of a source, of a destination, and of what is changed in between
amqp_ends, local_ends    the ends over AMQP 0-9-1: another broker, and this one itself
in_flight      which messages are under way, and up to which the source may forget them
pump           one connected link at work
attempts       one link for as long as it is wanted: tries, pauses, state and reason
turnstile      how many links connect at once
kept_file      what a plugin notes beside the data, over restarts
ack_modes, values    what definitions of links have in common
"""

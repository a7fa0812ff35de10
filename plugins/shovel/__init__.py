"""Shovels: what moves messages from one broker to another, and keeps them until that is done.

definition     what a shovel is to do, of a runtime parameter or the configuration
amqp_ends, local_ends, mqtt_ends, stomp_ends    how its ends are opened, by protocol
stomp_definition    what its ends over STOMP are to do
left_behind    what outlives a shovel at other brokers (mqtt_sessions, stomp_subscriptions), and how it ends
rewriting      what is changed in a message on its way
worker         one shovel for as long as it is wanted: connecting, status
plugin         all of them: parameters, words, listing, counters

What moves the messages, and tries again, is in plugins.bridging.
"""

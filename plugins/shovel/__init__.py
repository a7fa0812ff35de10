"""Shovels: what moves messages from one broker to another, and keeps them until that is done.

definition     what a shovel is to do, of a runtime parameter or the configuration
ends           what a pump wants of a source and of a destination
amqp_ends, local_ends    the ends there are: another broker over AMQP 0-9-1, this broker itself
in_flight      which messages are under way, and up to which the source may forget them
rewriting      what is changed in a message on its way
pump           one connected shovel at work
worker         one shovel for as long as it is wanted: connecting, pauses, status
plugin         all of them: parameters, words, listing, counters
"""

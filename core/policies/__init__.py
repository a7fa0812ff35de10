"""Policies: settings given to queues and exchanges by the pattern of their names, instead of by their declarers."""

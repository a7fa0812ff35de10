"""The broker itself: no event loop, no socket, no thread, no clock; time is an argument."""

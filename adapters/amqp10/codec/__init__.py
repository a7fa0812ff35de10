"""The codec of AMQP 1.0: types, frames, performatives and the sections of messages, without I/O."""

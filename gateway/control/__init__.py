"""The control socket behind `warren ctl`: how the two sides talk, and what they talk about."""

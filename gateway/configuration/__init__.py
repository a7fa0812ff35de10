"""Configuration: keys, the sources that set them, and how they are read."""

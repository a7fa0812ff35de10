"""Features that could live in a package of their own; they know the plugin interface alone."""

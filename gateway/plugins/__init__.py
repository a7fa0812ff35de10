"""The plugin host: runs the plugins that are enabled, and keeps their errors to themselves.

What a plugin is and may do is said in warren.gateway.plugin.  A broker without plugins imports nothing of this.
"""

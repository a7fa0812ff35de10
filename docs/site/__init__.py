"""The documentation as a site: Sphinx with Furo reads the repository's Markdown as it stands."""

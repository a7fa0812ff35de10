"""What Sphinx is told: the source folder is the repository, so that its links are the site's."""

from __future__ import annotations

from warren.gateway.version import WARREN_VERSION

project = "Warren"
author = "The Warren developers"
copyright = "The Warren developers, Apache-2.0"
version = release = WARREN_VERSION

extensions = ["myst_parser", "docs.site.navigation", "docs.site.repository"]

root_doc = "docs/README"
include_patterns = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/**.md",
    "examples/**.md",
    "tests/benchmarks/README.md",
    "tests/mutants/README.md",
]
# Folders without pages, which are not even looked through.
exclude_patterns = [
    ".*",
    "adapters",
    "build",
    "core",
    "debian",
    "dist",
    "gateway",
    "plugins",
    "src",
    "testing",
    "**/node_modules",
]

myst_heading_anchors = 6  # every heading may be linked to, by the name that code hosts give it
myst_enable_extensions = ["colon_fence"]

highlight_language = "text"

templates_path = ["templates"]

html_theme = "furo"
html_title = f"Warren {WARREN_VERSION}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "light_css_variables": {"color-brand-primary": "#2f5d50", "color-brand-content": "#20695a"},
    "dark_css_variables": {"color-brand-primary": "#8fd3bf", "color-brand-content": "#8fd3bf"},
}

"""Warren, a multi-protocol message broker: everything is imported from here.

The folders at the top of the repository (core, adapters, gateway, plugins, testing) are subpackages of this one; here
they are links, so that nothing but `warren` is put into an environment.
"""

from __future__ import annotations

from pathlib import Path

from warren import forms

forms.choose(Path(__file__).parent)

"""What the compiler of hot modules (mypyc) has to know about classes, without a dependency at run time.

A compiled class can't be inherited from by interpreted code unless it says so:

    @mypyc_attr(allow_interpreted_subclasses=True)
    class Queue: ...

Whatever plugins, adapters of others, modules that aren't compiled, or tests derive from wants that.  The compiler knows
the name from mypy_extensions, which type checkers bring along; where a module runs as it is, it means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**attributes):
        """Leave the class as it is."""
        return lambda decorated: decorated

"""When what a message came from is told that it is done with."""

from __future__ import annotations

from typing import Final

ON_CONFIRM: Final = "on-confirm"
"""When the destination has it: nothing is lost."""

ON_PUBLISH: Final = "on-publish"
"""When it was sent on: what is under way is lost when a link breaks."""

NO_ACK: Final = "no-ack"
"""Never: it is gone from the source when that has sent it."""

ACK_MODES: Final = (ON_CONFIRM, ON_PUBLISH, NO_ACK)

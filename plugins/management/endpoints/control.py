"""Words of `warren ctl`, for `warren ctl --url`: what the control socket takes and answers, over HTTP.

Each word says which tag it takes here (gateway/control/word.py, `Remote`).  What a word does, it does without asking
for permissions, so all that change something are for administrators, who could give themselves any permission.
"""

from __future__ import annotations

from typing import Any, Final

from warren.gateway.plugin import Remote
from warren.plugins.management.access import Needs, check_tags, check_vhost
from warren.plugins.management.endpoint import Call, Written, endpoint

NEEDS: Final = {
    Remote.ADMINISTRATOR: Needs.ADMINISTRATOR,
    Remote.MONITORING: Needs.MONITORING,
    Remote.MANAGEMENT: Needs.MANAGEMENT,
}


@endpoint(
    "POST",
    "/control",
    'A word of `warren ctl`: {"command": "list_queues", "arguments": ["name"], "options": {"vhost": "/"}}; most words '
    "take the tag administrator.",
    body=bytes,
    answer=dict[str, Any],
    large=True,
)
async def post_control(call: Call) -> Written:
    async def permitted(who: Remote, vhost: str) -> None:
        check_tags(call.user, NEEDS[who])
        if who is Remote.ADMINISTRATOR:
            call.place.promised = True  # it may change something
        else:
            await call.place.turn()
            call.place.made()  # it may be a word that waits for something, and mustn't keep others from their turns
        if who is Remote.MANAGEMENT and vhost:
            await check_vhost(call.broker, call.user, vhost, reads=True)

    pieces = await call.context.carry_out(call.body, permitted)
    return Written(pieces)

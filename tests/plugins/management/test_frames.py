"""A connection's latest frames over HTTP, from a socket."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import trio

from tests.plugins.management.api import GUEST, open_api, refusal
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config


async def test_frames_of_a_connection() -> None:
    config = Config(in_memory=True, plugins=("management",)).replace(refused_login_delay_s=0.0)
    listen = ("http=127.0.0.1:0", "amqp=127.0.0.1:0")
    async with open_broker(listen=listen, config=config) as embedded:
        ((_, http_port),) = embedded.listening["http"]
        ((_, amqp_port),) = embedded.listening["amqp"]
        base = f"http://127.0.0.1:{http_port}/api"
        stream = await trio.open_tcp_stream("127.0.0.1", amqp_port)
        async with stream, httpx.AsyncClient(base_url=base, auth=GUEST, timeout=30.0, trust_env=False) as http:
            await stream.send_all(PROTOCOL_HEADER)
            await stream.receive_some()
            (connection,) = (await http.get("/connections")).json()
            path = f"/connections/{quote(connection['name'], safe='')}/frames"
            found = (await http.get(path)).json()
            assert (found["watching"], found["frames"], found["troubles"]) == (True, [], [])
            start_ok = methods.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest", "en_US")
            await stream.send_all(methods.encode_frame(0, start_ok))
            await stream.receive_some()
            found = (await http.get(f"{path}?watch=5")).json()
            assert found["seconds_left"] == 5
            first, second = found["frames"]
            assert first["text"].startswith("connection.start-ok")
            assert ("•••" in first["text"], first["direction"]) == (True, "received")
            assert (second["text"].split(" ")[0], second["direction"]) == ("connection.tune", "sent")
            assert (await http.get(f"{path}?watch=0")).json()["watching"] is False
            assert (await http.get(f"{path}?watch=601")).status_code == 400


async def test_who_may_look() -> None:
    async with open_api() as api:
        anne = api.user("anne", "management")
        refusal(await api.ask("GET", "/connections/nobody/frames", auth=anne), 401, "not_authorised")
        refusal(await api.ask("GET", "/connections/nobody/frames"), 404, "Object Not Found")
        async with api.embedded.connect(name="own") as _:
            (connection,) = await api.get("/connections")
            path = f"/connections/{quote(connection['name'], safe='')}/frames"
            refusal(await api.ask("GET", path), 404, "Object Not Found")
        api.broker.troubles.note(1, "gone", "it went wrong")
        found = await api.get("/connections/gone/frames")
        assert found["troubles"] == [{"at": 1, "by_client": False, "text": "it went wrong"}]
        assert found["watching"] is False

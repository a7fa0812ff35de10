"""The words of `warren ctl` on policies, parameters, limits, virtual hosts' metadata and definitions."""

from __future__ import annotations

import json
from typing import cast

import pytest

from tests.gateway.control.control_target import Asker
from warren.core.administration.definitions_json.reading import DEFINITIONS_BYTES_MAX
from warren.core.declaring.queues import create_queue
from warren.gateway.configuration.config import Config
from warren.gateway.control.protocol import CONTENT_BYTES_MAX


@pytest.fixture
async def warren() -> Asker:
    return Asker()


@pytest.mark.parametrize(
    ("set_word", "clear_word", "list_word", "column"),
    [
        ("set_policy", "clear_policy", "list_policies", "policy"),
        ("set_operator_policy", "clear_operator_policy", "list_operator_policies", "operator_policy"),
    ],
)
async def test_policies(warren: Asker, set_word: str, clear_word: str, list_word: str, column: str) -> None:
    create_queue(warren.server.broker.vhosts["/"], "q")
    await warren.do(set_word, "p", "^q", '{"message-ttl":500, "max-length": 1}', priority="-3", apply_to="queues")
    await warren.do(set_word, "other", "^q", '{"max-length": 1}')
    assert await warren.rows(list_word) == [
        ["/", "p", "^q", "queues", '{"max-length":1,"message-ttl":500}', -3],
        ["/", "other", "^q", "all", '{"max-length":1}', 0],
    ]
    effective = {"max-length": 1}
    assert await warren.rows("list_queues", column, "effective_policy_definition") == [["other", effective]]
    await warren.do(clear_word, "other")
    assert await warren.rows("list_queues", column) == [["p"]]
    assert await warren.rows(list_word, vhost="other") == []
    code, text = await warren.refused(clear_word, "other")
    assert (code, "Parameter does not exist" in text) == (70, True)


async def test_policies_that_are_refused(warren: Asker) -> None:
    for arguments, options, code, expected in [
        (("p", "q", "{x"), {}, 65, "Could not parse JSON document: "),
        (("p", "q", "[" * 10_000), {}, 65, "Could not parse JSON document: "),
        (("p", "q", "[]"), {}, 70, "a policy's definition must be a JSON object"),
        (("p", "q", '{"frob": 1}'), {}, 70, "'frob' are not recognised policy settings"),
        (("p", "(", '{"max-length": 1}'), {}, 70, "pattern should be regular expression"),
        (("p", "q", '{"max-length": 1}'), {"priority": "high"}, 64, "--priority must be a number, not 'high'"),
        (("p", "q", '{"max-length": 1}'), {"apply_to": "frobs"}, 70, "apply-to 'frobs' unrecognised"),
        (("p", "q", '{"max-length": 1}'), {"vhost": "gone"}, 65, "virtual host 'gone' does not exist"),
    ]:
        found_code, text = await warren.refused("set_policy", *arguments, **cast("dict[str, object]", options))
        assert (found_code, text.startswith(expected)) == (code, True), text
    assert await warren.rows("list_policies") == []


async def test_parameters(warren: Asker) -> None:
    await warren.do("set_parameter", "vhost-limits", "limits", '{"max-queues": 5}')
    operator = '{"pattern": "^q", "definition": {"max-length": 1}}'
    await warren.do("set_parameter", "operator_policy", "o", operator)
    assert await warren.rows("list_parameters") == [
        ["vhost-limits", "limits", '{"max-queues":5}'],
        [
            "operator_policy",
            "o",
            '{"apply-to":"all","definition":{"max-length":1},"pattern":"^q","priority":0}',
        ],
    ]
    assert await warren.rows("list_parameters", vhost="other") == []
    await warren.do("clear_parameter", "vhost-limits", "limits")
    await warren.do("clear_parameter", "operator_policy", "o")
    assert await warren.rows("list_parameters") == []
    assert (await warren.refused("set_parameter", "frob", "x", "{}"))[1].startswith("component frob not found")
    assert (await warren.refused("set_parameter", "policy", "x", "{}"))[0] == 70
    assert (await warren.refused("clear_parameter", "frob", "x"))[0] == 70
    assert (await warren.refused("set_parameter", "vhost-limits", "limits", "{"))[0] == 65


async def test_global_parameters(warren: Asker) -> None:
    await warren.do("set_global_parameter", "gp", '{"x": [1, 2]}')
    await warren.do("set_global_parameter", "gp2", '"text"')
    assert await warren.rows("list_global_parameters") == [["gp", '{"x":[1,2]}'], ["gp2", '"text"']]
    await warren.do("clear_global_parameter", "gp")
    assert (await warren.refused("clear_global_parameter", "gp"))[0] == 70
    assert await warren.rows("list_global_parameters") == [["gp2", '"text"']]


async def test_limits_of_virtual_hosts(warren: Asker) -> None:
    await warren.do("set_vhost_limits", '{"max-connections": 3, "max-queues": -1}')
    answer = await warren.ask("list_vhost_limits")
    assert answer["value"] == {"max-connections": 3, "max-queues": -1}
    assert answer["text"] == '{"max-connections":3,"max-queues":-1}'
    assert await warren.do("list_vhost_limits", vhost="other") == "{}"
    listed = {"global": True}
    assert await warren.rows("list_vhost_limits", **listed) == [["/", '{"max-connections":3,"max-queues":-1}']]
    code, text = await warren.refused("set_vhost_limits", '{"max-frobs": 3}')
    assert code == 70
    assert text.startswith("Unrecognised terms 'max-frobs' in limits; the limits are max-connections, max-queues, ")
    await warren.do("clear_vhost_limits")
    assert (await warren.refused("clear_vhost_limits"))[0] == 70


async def test_limits_of_users(warren: Asker) -> None:
    await warren.do("set_user_limits", "guest", '{"max-connections": 5}')
    await warren.do("set_user_limits", "guest", '{"max-channels": 20}')
    both = '{"max-channels":20,"max-connections":5}'
    assert await warren.do("list_user_limits", user="guest") == both
    assert await warren.rows("list_user_limits") == [["guest", both]]
    await warren.do("clear_user_limits", "guest", "max-channels")
    assert await warren.do("list_user_limits", user="guest") == '{"max-connections":5}'
    await warren.do("clear_user_limits", "guest", "all")
    assert await warren.rows("list_user_limits") == []
    assert (await warren.refused("clear_user_limits", "guest", "frob"))[0] == 65
    for word, *arguments in (("set_user_limits", "eve", "{}"), ("clear_user_limits", "eve", "all")):
        assert await warren.refused(word, *arguments) == (67, "user 'eve' does not exist")
    assert (await warren.refused("list_user_limits", user="eve"))[0] == 67


async def test_metadata_and_tracing(warren: Asker) -> None:
    await warren.do("update_vhost_metadata", "other", description="d", tags="a,b", default_queue_type="quorum")
    columns = ("name", "description", "tags", "default_queue_type", "tracing")
    assert (await warren.rows("list_vhosts", *columns))[1] == ["other", "d", ["a", "b"], "quorum", False]
    await warren.do("update_vhost_metadata", "other", default_queue_type="")
    assert (await warren.rows("list_vhosts", *columns))[1] == ["other", "d", ["a", "b"], None, False]
    assert (await warren.refused("update_vhost_metadata", "other"))[0] == 64
    assert (await warren.refused("update_vhost_metadata", "other", default_queue_type="x"))[0] == 70
    assert (await warren.refused("update_vhost_metadata", "gone", description="x"))[0] == 65
    assert await warren.do("trace_on", vhost="other") == "Trace enabled for vhost other"
    assert (await warren.rows("list_vhosts", "name", "tracing")) == [["/", False], ["other", True]]
    assert await warren.do("trace_off", vhost="other") == "Trace disabled for vhost other"
    assert (await warren.rows("list_vhosts", "name", "tracing")) == [["/", False], ["other", False]]


async def test_definitions(warren: Asker) -> None:
    await warren.do("set_policy", "p", "^q", '{"max-length": 1}')
    answer = await warren.ask("export_definitions", "-")
    whole = cast("dict[str, object]", answer["value"])
    assert whole["rabbit_version"] == Config(in_memory=True).product_version
    single = cast("dict[str, object]", (await warren.ask("export_definitions", "-", vhost="/"))["value"])
    assert single["rabbitmq_definition_format"] == "single_virtual_host"

    other = Asker()
    text = await other.do("import_definitions", content=json.dumps(whole).encode())
    assert text == "Imported users: 1, vhosts: 2, policies: 1"
    assert await other.rows("list_policies") == await warren.rows("list_policies")
    await other.do("import_definitions", content=json.dumps(single).encode(), vhost="other")
    assert (await other.rows("list_policies", vhost="other"))[0][:2] == ["other", "p"]
    text = await other.do("import_definitions", content=b'{"frobs": []}')
    assert text.splitlines() == [
        "Imported nothing that was not there",
        "Warning: 'frobs' is no part of definitions that is known here; ignored",
    ]


async def test_definitions_that_are_refused(warren: Asker) -> None:
    assert (await warren.refused("import_definitions"))[0] == 64
    assert (await warren.refused("import_definitions", format="erlang"))[0] == 64
    assert (await warren.refused("export_definitions", "-", format="erlang"))[0] == 64
    assert (await warren.refused("export_definitions", "-", vhost="gone"))[0] == 65
    answer = await warren.ask("import_definitions", content=b'{"queues": [')
    assert (answer["ok"], answer["exit_code"]) == (False, 70)
    assert "the file ends too early" in str(answer["error"])
    answer = await warren.ask("import_definitions", content=b"{}", vhost="gone")
    assert answer["exit_code"] == 65


def test_what_can_be_sent_can_be_imported() -> None:
    assert CONTENT_BYTES_MAX == DEFINITIONS_BYTES_MAX


async def test_who_asks_for_mirrors_is_told_that_there_are_none(
    warren: Asker, caplog: pytest.LogCaptureFixture
) -> None:
    definition = '{"ha-mode": "exactly", "ha-params": 2, "max-length": 1}'
    for word in ("set_policy", "set_operator_policy"):
        text = await warren.do(word, "mirrored", "^q", definition)
        assert text.startswith("Warning: ha-mode, ha-params: NOTHING IS MIRRORED: ")
    assert caplog.text.count("policy 'mirrored' in vhost '/': ha-mode, ha-params: NOTHING IS MIRRORED") == 2
    assert await warren.do("set_policy", "plain", "^q", '{"max-length": 1}') == ""

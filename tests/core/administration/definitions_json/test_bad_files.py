"""Files that can't be imported: a clear text that says where, and nothing of them applied."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.administration.definitions_json.documents import FILES, exported, read, small
from tests.support.core_broker import core_broker
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.administration.definitions_json.reading import DEFINITIONS_BYTES_MAX
from warren.core.broker import Broker
from warren.core.clients.limits import VHOST_LIMITS
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import encode_table
from warren.core.storage.definitions.memory import MemoryDefinitionStore

MISSING = object()


def refused(broker: Broker, data: bytes | str, vhost: str | None = None) -> str:
    """The text of a refusal that left everything as it was, in memory and in the store."""
    before, rows = exported(broker), list(broker.definitions.load())
    version = {vhost.name: vhost.version for vhost in broker.vhosts.values()}
    with pytest.raises(PreconditionFailed) as caught:
        import_definitions(broker, data, vhost=vhost)
    assert exported(broker) == before
    assert list(broker.definitions.load()) == rows
    assert {vhost.name: vhost.version for vhost in broker.vhosts.values()} == version
    assert caught.value.text.startswith("nothing was imported: ")
    return caught.value.text.removeprefix("nothing was imported: ")


NOT_DEFINITIONS: list[tuple[bytes | str, str]] = [
    (b"", "not valid JSON: line 1, column 1: the file ends too early, is it complete?"),
    (b"  \n", "the file ends too early"),
    (b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
    (b"<html>", "not valid JSON: line 1, column 1"),
    ('{"queues": [,]}', "not valid JSON: line 1, column 13"),
    ('{"a": NaN}', "NaN is no JSON number"),
    ('{"a": 1e999}', "the number 1e999 is too large"),
    ("[" * 100_000, "not valid JSON"),
    ("[]", "definitions are a JSON object"),
    ('"text"', "definitions are a JSON object"),
    ('{"rabbitmq_definition_format": "galaxy"}', "in the format 'galaxy', which this version can't read"),
    ('{"queues": {}}', "queues: must be a list"),
    ('{"queues": [1]}', "queues[0]: must be a JSON object, not 1"),
]


@pytest.mark.parametrize(("data", "text"), NOT_DEFINITIONS)
def test_what_is_no_definitions_file(broker: Broker, data: bytes | str, text: str) -> None:
    assert text in refused(broker, data)


@pytest.mark.parametrize("name", FILES)
def test_truncated_anywhere(broker: Broker, name: str) -> None:
    text = read(name).rstrip()
    for length in range(0, len(text), 97):
        assert "not valid JSON" in refused(broker, text[:length])


def test_too_large(broker: Broker) -> None:
    data = b" " * (DEFINITIONS_BYTES_MAX + 1)
    assert refused(broker, data) == (
        f"the definitions are too large: {DEFINITIONS_BYTES_MAX + 1} bytes, "
        f"at most {DEFINITIONS_BYTES_MAX} can be imported at once"
    )


BAD_ITEMS: list[tuple[str, dict[str, Any], str]] = [
    # section, changes to its item in `small`, the refusal
    ("users", {"name": MISSING}, "users[0]: 'name' is missing"),
    ("users", {"name": ""}, "users[0] '': a user name can't be blank"),
    ("users", {"tags": MISSING}, "users[0] 'ann': 'tags' is missing"),
    ("users", {"tags": 5}, "users[0] 'ann': tags must be a list of strings, not 5"),
    ("users", {"password_hash": "*"}, "users[0] 'ann': the password hash is not valid base64"),
    ("users", {"password_hash": "YWJj"}, "users[0] 'ann': the password hash is too short"),
    ("users", {"hashing_algorithm": "rot13"}, "users[0] 'ann': unknown password hashing algorithm 'rot13'"),
    ("users", {"password": "x"}, "users[0] 'ann': both password and password_hash are given"),
    ("users", {"limits": {"max-frobs": 1}}, "users[0] 'ann': Unrecognised terms 'max-frobs' in user-limits"),
    ("users", {"permissions": {"gone": {}}}, "users[0] 'ann': permissions 'ann' in vhost 'gone': "),
    ("vhosts", {"name": ""}, "vhosts[0] '': a virtual host needs a name"),
    ("vhosts", {"name": 1}, "vhosts[0]: 'name' must be a string"),
    ("vhosts", {"default_queue_type": "x"}, "vhosts[0] 'v': 'x' is not a valid queue type"),
    ("vhosts", {"metadata": {"tags": 1}}, "vhosts[0] 'v': tags must be a list of strings"),
    ("vhosts", {"limits": {"max-queues": "x"}}, "vhosts[0] 'v': max-queues should be a number"),
    ("vhosts", {"tracing": "maybe"}, "vhosts[0] 'v': 'tracing' must be true or false"),
    ("permissions", {"user": "eve"}, "permissions[0] 'eve' in vhost 'v': there is no user 'eve'"),
    ("permissions", {"vhost": "w"}, "permissions[0] 'ann' in vhost 'w': there is no virtual host 'w'"),
    ("permissions", {"vhost": MISSING}, "permissions[0] 'ann': it names no virtual host"),
    ("permissions", {"write": "("}, "permissions[0] 'ann' in vhost 'v': invalid regular expression '('"),
    ("permissions", {"read": MISSING}, "permissions[0] 'ann' in vhost 'v': 'read' is missing"),
    ("topic_permissions", {"user": "eve"}, "topic_permissions[0] 'eve' in vhost 'v': there is no user 'eve'"),
    ("topic_permissions", {"read": "["}, "topic_permissions[0] 'ann' in vhost 'v': invalid regular expression"),
    ("topic_permissions", {"exchange": MISSING}, "topic_permissions[0] 'ann' in vhost 'v': 'exchange' is missing"),
    ("global_parameters", {"name": ""}, "global_parameters[0] '': a global parameter needs a name"),
    ("policies", {"vhost": "w"}, "policies[0] 'p' in vhost 'w': there is no virtual host 'w', neither here nor in"),
    ("policies", {"name": MISSING}, "policies[0] in vhost 'v': 'name' is missing"),
    ("policies", {"pattern": "("}, "policies[0] 'p' in vhost 'v': pattern should be regular expression but is invalid"),
    ("policies", {"definition": {"frob": 1}}, "policies[0] 'p' in vhost 'v': 'frob' are not recognised"),
    ("policies", {"definition": {}}, "policies[0] 'p' in vhost 'v': no policy provided"),
    ("policies", {"priority": "high"}, "policies[0] 'p' in vhost 'v': priority should be a number"),
    ("policies", {"apply-to": "frobs"}, "policies[0] 'p' in vhost 'v': apply-to 'frobs' unrecognised"),
    ("parameters", {"component": MISSING}, "parameters[0] 'limits' in vhost 'v': 'component' is missing"),
    ("parameters", {"value": MISSING}, "parameters[0] 'limits' in vhost 'v': 'value' is missing"),
    ("parameters", {"value": {"max-frobs": 1}}, "parameters[0] 'limits' in vhost 'v': Unrecognised terms 'max-frobs'"),
    ("parameters", {"component": "policy"}, "parameters[0] 'limits' in vhost 'v': policies may not be set as"),
    ("parameters", {"component": "operator_policy"}, "parameters[0] 'limits' in vhost 'v': key 'pattern' not found"),
    ("exchanges", {"type": "x-frob"}, "exchanges[0] 'x' in vhost 'v': unknown exchange type 'x-frob'"),
    ("exchanges", {"type": MISSING}, "exchanges[0] 'x' in vhost 'v': 'type' is missing"),
    ("exchanges", {"durable": 1}, "exchanges[0] 'x' in vhost 'v': 'durable' must be true or false, not 1"),
    ("exchanges", {"arguments": "x"}, "exchanges[0] 'x' in vhost 'v': arguments must be a JSON object, not 'x'"),
    ("exchanges", {"name": "x" * 256}, "in vhost 'v': 'name' is longer than 255 bytes"),
    ("queues", {"vhost": "w"}, "queues[0] 'q' in vhost 'w': there is no virtual host 'w'"),
    ("queues", {"arguments": {"x-max-length": -1}}, "queues[0] 'q' in vhost 'v': invalid arg 'x-max-length' for"),
    ("queues", {"arguments": {"x-max-length": "5"}}, "queues[0] 'q' in vhost 'v': invalid arg 'x-max-length' for"),
    ("queues", {"type": "streams"}, "queues[0] 'q' in vhost 'v': invalid arg 'x-queue-type'"),
    ("queues", {"type": "quorum", "durable": False}, "queues[0] 'q' in vhost 'v': invalid property 'non-durable'"),
    ("queues", {"name": "\ud800"}, "holds characters that UTF-8 can't express"),
    ("bindings", {"destination_type": "frob"}, "bindings[0] 'x' in vhost 'v': 'destination_type' must be queue or"),
    ("bindings", {"arguments": {"x-match": "some"}}, "bindings[0] 'x' in vhost 'v': "),
    ("bindings", {"source": MISSING}, "bindings[0] in vhost 'v': 'source' is missing"),
    ("bindings", {"vhost": "w"}, "bindings[0] 'x' in vhost 'w': there is no virtual host 'w'"),
]


@pytest.mark.parametrize(("section", "changes", "text"), BAD_ITEMS)
def test_one_bad_item_refuses_the_whole_file(broker: Broker, section: str, changes: dict[str, Any], text: str) -> None:
    found = small()
    item = {**found[section][0], **changes}
    found[section] = [{key: value for key, value in item.items() if value is not MISSING}]
    assert text in refused(broker, json.dumps(found))


def test_the_unchanged_file_is_accepted(broker: Broker) -> None:
    assert import_definitions(broker, json.dumps(small())).warnings == []


def test_a_bad_item_behind_good_ones(broker: Broker) -> None:
    found = small()
    found["queues"] += [{"vhost": "v", "name": "q2"}, {"vhost": "v", "name": 3}]
    assert refused(broker, json.dumps(found)) == "queues[2] in vhost 'v': 'name' must be a string"


def test_a_queue_that_an_exchange_cannot_lead_to(broker: Broker) -> None:
    """The exchange, the queue and the binding are all good, but don't go together."""
    document = {
        "exchanges": [{"vhost": "/", "name": "x", "type": "x-local-random"}],
        "queues": [{"vhost": "/", "name": "q", "durable": True, "arguments": {"x-queue-type": "quorum"}}],
        "bindings": [{"vhost": "/", "source": "x", "destination": "q", "routing_key": ""}],
    }
    assert "Queue type quorum not valid for this exchange type" in refused(broker, json.dumps(document))
    document["bindings"] = [
        {"vhost": "/", "source": "x", "destination": "x", "destination_type": "exchange", "routing_key": ""}
    ]
    assert "exchange 'x' not valid for this exchange type" in refused(broker, json.dumps(document))
    document["bindings"] = []
    import_definitions(broker, json.dumps(document))
    document["bindings"] = [{"vhost": "/", "source": "x", "destination": "q", "routing_key": ""}]
    assert "Queue type quorum not valid for this exchange type" in refused(broker, json.dumps(document))


def test_the_file_of_a_single_virtual_host(broker: Broker) -> None:
    text = refused(broker, json.dumps({"queues": [{"name": "q"}]}))
    assert "these are the definitions of a single one; name the one to import them into" in text
    assert refused(broker, "{}", vhost="gone") == "vhost gone not found"


def test_more_queues_than_the_limit_allows(broker: Broker) -> None:
    broker.parameters.set("/", "vhost-limits", "limits", {VHOST_LIMITS[1]: 2})
    names = ["a", "b", "c"]
    queues = [{"vhost": "/", "name": name} for name in names]
    text = refused(broker, json.dumps({"queues": queues}))
    assert text.startswith('Adding 3 queue(s) to virtual host "/" would exceed the limit of 2 queue(s)')
    import_definitions(broker, json.dumps({"queues": queues[:2]}))
    import_definitions(broker, json.dumps({"queues": queues[:2]}))


class CountingStore(MemoryDefinitionStore):
    """Remembers how often numbers were taken after rows were put, which could split an import in two."""

    __slots__ = ("taken_late",)

    def __init__(self) -> None:
        super().__init__()
        self.taken_late = 0

    def next_id(self, counter: str) -> int:
        self.taken_late += self.dirty
        return super().next_id(counter)


@pytest.mark.parametrize("name", FILES)
def test_an_import_is_one_transaction(name: str) -> None:
    store = CountingStore()
    broker = core_broker(store)
    store.taken_late = 0
    import_definitions(broker, read(name))
    assert store.dirty
    assert store.taken_late == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_taken_or_refused(data: st.DataObject) -> None:
    """No value in any place ends in anything but an import or a refusal that changed nothing."""
    found = small()
    section = data.draw(st.sampled_from([name for name in found if isinstance(found[name], list)]))
    item = found[section][0]
    key = data.draw(st.sampled_from(sorted({*item, "arguments", "limits", "metadata", "tags", "type", "priority"})))
    item[key] = data.draw(json_values)
    broker = core_broker()
    text = json.dumps(found)
    if is_accepted(text):
        import_definitions(broker, text)
        broker.dispatch()
        import_definitions(core_broker(), json.dumps(exported(broker)))
    else:
        refused(broker, text)


def is_accepted(text: str) -> bool:
    try:
        import_definitions(core_broker(), text)
    except PreconditionFailed:
        return False
    return True


def test_arguments_too_large_for_a_table(broker: Broker) -> None:
    found = small()
    found["queues"][0]["arguments"] = {"x" * 300: 1}
    text = refused(broker, json.dumps(found))
    assert "queues[0] 'q' in vhost 'v'" in text
    with pytest.raises(ValueError, match="255"):
        encode_table({"x" * 300: 1})

"""Runtime parameters: components check and hear of them, also after a restart; operator policies under their name."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker
from warren.core.administration.parameters import clear_parameter, list_parameters, set_parameter
from warren.core.broker import Broker
from warren.core.errors import NotAllowed, NotFound, PreconditionFailed
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON


class Recorder:
    """A component that takes objects only, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, JSON]] = []

    def check(self, vhost: str, name: str, value: JSON) -> None:
        if not isinstance(value, dict):
            raise PreconditionFailed("not an object")

    def changed(self, vhost: str, name: str, value: JSON) -> None:
        self.heard.append((vhost, name, value))

    def cleared(self, vhost: str, name: str) -> None:
        self.heard.append((vhost, name, None))


@pytest.fixture
def broker() -> Broker:
    return core_broker()


def test_a_component_checks_and_hears(broker: Broker) -> None:
    recorder = Recorder()
    broker.parameters.register("shovel", recorder)
    set_parameter(broker, "/", "shovel", "s", {"a": 1})
    set_parameter(broker, "/", "shovel", "s", {"a": 2})
    with pytest.raises(PreconditionFailed, match="not an object"):
        set_parameter(broker, "/", "shovel", "s", 3)
    assert broker.parameters.get("/", "shovel", "s") == {"a": 2}
    clear_parameter(broker, "/", "shovel", "s")
    assert recorder.heard == [("/", "s", {"a": 1}), ("/", "s", {"a": 2}), ("/", "s", None)]
    with pytest.raises(NotFound, match="Parameter does not exist"):
        clear_parameter(broker, "/", "shovel", "s")


def test_what_nobody_knows(broker: Broker) -> None:
    with pytest.raises(PreconditionFailed, match="component shove not found; the components are vhost-limits"):
        set_parameter(broker, "/", "shove", "s", {})
    with pytest.raises(NotAllowed, match="vhost gone not found"):
        set_parameter(broker, "gone", "vhost-limits", "limits", {})
    with pytest.raises(PreconditionFailed, match="policies may not be set using this method"):
        set_parameter(broker, "/", "policy", "p", {})


def test_a_component_registered_after_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryDefinitionStore()
    first = core_broker(store)
    first.parameters.set("/", "shovel", "good", {"a": 1}, unknown_too=True)
    first.parameters.set("/", "shovel", "bad", 1, unknown_too=True)
    first.parameters.set_global("cluster_name", "rabbit")
    second = core_broker(store)
    recorder = Recorder()
    second.parameters.register("shovel", recorder)
    assert recorder.heard == [("/", "good", {"a": 1})]
    assert "parameter 'bad' of component 'shovel' can't be used" in caplog.text
    assert [found.name for found in second.parameters.find(component="shovel")] == ["good", "bad"]
    assert second.parameters.globals() == [("cluster_name", "rabbit")]
    with pytest.raises(ValueError, match="registered already"):
        second.parameters.register("shovel", recorder)
    second.parameters.unregister("shovel")
    second.parameters.register("shovel", recorder)


def test_a_deleted_virtual_host_takes_its_parameters_along(broker: Broker) -> None:
    recorder = Recorder()
    broker.parameters.register("shovel", recorder)
    broker.add_vhost("v", {})
    for vhost in ("/", "v"):
        set_parameter(broker, vhost, "shovel", "s", {})
    broker.delete_vhost("v")
    assert recorder.heard[2:] == [("v", "s", None)]
    assert [found.vhost for found in broker.parameters.find()] == ["/"]


def test_operator_policies_are_parameters(broker: Broker) -> None:
    value: JSON = {"pattern": "^q", "definition": {"max-length": 1}, "priority": 2, "apply-to": "queues"}
    set_parameter(broker, "/", "operator_policy", "o", value)
    (found,) = list_parameters(broker, "/")
    assert found == ("/", "operator_policy", "o", value)
    with pytest.raises(PreconditionFailed, match="not recognised"):
        set_parameter(broker, "/", "operator_policy", "o", {"pattern": "", "definition": {"alternate-exchange": "x"}})
    clear_parameter(broker, "/", "operator_policy", "o")
    assert list_parameters(broker, "/") == []


def test_global_parameters(broker: Broker) -> None:
    seen: list[JSON] = []
    parameters = broker.parameters
    parameters.watch("name", seen.append)
    parameters.set_global("name", "a")
    parameters.set_global("other", [1])
    parameters.set_global("name", "b")
    assert (parameters.get_global("name"), parameters.get_global("none")) == ("b", None)
    parameters.clear_global("name")
    assert seen == ["a", "b", None]
    assert parameters.globals() == [("other", [1])]
    with pytest.raises(NotFound, match="there is no global parameter 'name'"):
        parameters.clear_global("name")
    with pytest.raises(PreconditionFailed, match="needs a name"):
        parameters.set_global("", 1)

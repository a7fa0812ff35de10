"""The key `plugins`, the keys that plugins bring, and plugins that can't be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.gateway.plugins.samples import TABLE, Extra, Second
from tests.support.installing import write_metadata
from tests.support.warren_process import PYTHON_PATH
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import describe, load_config
from warren.gateway.configuration.options import options_of
from warren.gateway.configuration.plugins import PLUGINS, PluginUnusableError, load_plugin
from warren.gateway.configuration.sources import assignments
from warren.plugins import registry

TIME_LIMIT_S = 60.0


def load(tmp_path: Path, toml: str = "", environment: Mapping[str, str] | None = None, *settings: str) -> Config:
    (tmp_path / "warren.toml").write_text(toml)
    return load_config(assignments(settings), environment=environment or {}, directory=tmp_path)


def refusal(tmp_path: Path, toml: str, environment: Mapping[str, str] | None = None, *settings: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, toml, environment, *settings)
    return str(raised.value)


def test_nobody_is_enabled_unless_named(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.plugins == ()
    assert not [name for name in config.values if name.startswith("sample")]


def test_a_plugin_brings_its_keys_to_every_source(tmp_path: Path) -> None:
    toml = 'plugins = ["sample", "second", "sample"]\n[sample]\nsize = 4\nsecret = "toml"\n'
    config = load(tmp_path, toml)
    assert config.plugins == ("sample", "second")
    assert (config.sample_size, config.sample_secret) == (4, "toml")
    assert options_of(config).integer("sample_size") == 4
    config = load(tmp_path, toml, {"WARREN_SAMPLE_SIZE": "5"})
    assert config.sample_size == 5
    config = load(tmp_path, toml, {"WARREN_SAMPLE_SIZE": "5"}, "sample.size=6")
    assert config.sample_size == 6
    config = load(tmp_path, "", {"WARREN_PLUGINS": "sample, second"}, "sample_size=7")
    assert config.plugins == ("sample", "second")
    assert (config.sample_size, config.sample_secret) == (7, "hush")
    assert options_of(Config(in_memory=True, plugins=("sample",))).text("sample_secret") == "hush"


def test_a_file_in_the_data_directory_may_enable_what_the_environment_sets(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "warren.toml").write_text('plugins = ["sample"]')
    environment = {"WARREN_DATA_DIRECTORY": str(data), "WARREN_SAMPLE_SIZE": "9"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = load_config(environment=environment, directory=elsewhere)
    assert config.sample_size == 9


def test_their_values_are_shown_but_secrets(tmp_path: Path) -> None:
    shown = describe(load(tmp_path, 'plugins = ["sample"]'))
    assert (shown["plugins"], shown["sample_size"], shown["sample_secret"]) == (["sample"], 3, "********")
    assert "sample_size" not in describe(Config(in_memory=True))


REFUSALS = [
    ('plugins = ["smaple"]', "plugins = 'smaple': must be names of plugins; 'smaple' is none; did you mean sample?"),
    ('plugins = ["Not-A-Plugin"]', "'Not-A-Plugin' is none; did you mean not_a_plugin?"),
    ('plugins = ["sample", 3]', 'must be a list of names of plugins, such as ["shovel"]'),
    ('plugins = ["zzz"]', "'zzz' is none; installed are sample, second"),
    ("plugins = 3", 'must be a list of names of plugins, such as ["shovel"]'),
    ('plugins = ["sample"]\nsample_size = 11', "sample_size = 11: must be"),
    ('plugins = ["sample"]\nsample_sice = 1', "unknown key sample_sice; did you mean sample_size"),
    ('plugins = ["second"]\nsample_size = 1', "unknown key sample_size"),
    ("[sample]\nsize = 1", "unknown key sample.size"),
    (
        'plugins = ["gone"]',
        "the plugin 'gone' (tests.gateway.plugins.nothing:Gone) can't be loaded: ModuleNotF",
    ),
    ('plugins = ["misnamed"]', "calls itself 'another'"),
    ('plugins = ["not_a_plugin"]', "is no subclass of warren.gateway.plugin.Plugin"),
    ('plugins = ["a_row"]', "is no subclass of warren.gateway.plugin.Plugin"),
    ('plugins = ["made_already"]', "is no subclass of warren.gateway.plugin.Plugin"),
    ('plugins = ["Loud"]', "calls itself 'Loud'; both have to be the same, of small letters, digits and _"),
    ('plugins = ["greedy"]', "has a key 'heartbeat', which has to begin with 'greedy_'"),
]


@pytest.mark.parametrize(("toml", "text"), REFUSALS)
def test_what_cannot_be_refuses_the_start_and_says_why(tmp_path: Path, toml: str, text: str) -> None:
    assert text in refusal(tmp_path, toml)


def test_a_secret_that_is_wrong_is_not_shown(tmp_path: Path) -> None:
    assert "'...'" in refusal(tmp_path, 'plugins = ["sample"]\nsample_secret = [1]')


def test_the_names_there_are() -> None:
    assert "sample" in PLUGINS
    assert "gopher" not in PLUGINS
    assert len(PLUGINS) == len(list(PLUGINS))
    with pytest.raises(PluginUnusableError, match="'gopher' is none"):
        load_plugin("gopher")


@pytest.fixture
def extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package is installed that offers plugins, one of them by a name that Warren's own have."""
    offered = {"extra": f"{Extra.__module__}:Extra", "second": "nowhere:Second"}
    write_metadata(tmp_path, "warren-extra", {"warren.plugins": offered, "warren.others": {"another": "nowhere:Other"}})
    monkeypatch.syspath_prepend(tmp_path)


def test_plugins_of_other_packages(tmp_path: Path, extra: None) -> None:
    assert list(PLUGINS) == [*TABLE, "extra"]
    assert len(PLUGINS) == len(TABLE) + 1
    assert "extra" in PLUGINS
    assert "another" not in PLUGINS
    assert (load_plugin("extra"), load_plugin("second")) == (Extra, Second)
    config = load(tmp_path, 'plugins = ["extra"]\n[extra]\nsize = 4\n')
    assert (config.plugins, config.extra_size) == (("extra",), 4)


def test_two_near_names_are_offered_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", dict.fromkeys(["sample1", "sample2", "sample3"], ""))
    with pytest.raises(PluginUnusableError, match=r"did you mean sample. or sample.[?]$"):
        load_plugin("sample")


def test_a_name_with_hyphens_and_capitals_is_near_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"a__b__": ""})
    with pytest.raises(PluginUnusableError, match="did you mean a__b__"):
        load_plugin("A--B--")


def test_an_installation_without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {})
    with pytest.raises(PluginUnusableError, match=r"^'sample' is none; installed are no plugins$"):
        load_plugin("sample")


def test_what_cannot_be_loaded_says_what_to_do() -> None:
    with pytest.raises(PluginUnusableError) as raised:
        load_plugin("gone")
    assert str(raised.value) == (
        "the plugin 'gone' (tests.gateway.plugins.nothing:Gone) can't be loaded: ModuleNotFoundError: No module named "
        "'tests.gateway.plugins.nothing'; install its package again, or take it out of `plugins`"
    )


def test_a_broker_without_plugins_imports_nothing_of_them(tmp_path: Path) -> None:
    program = (
        "import sys, trio\n"
        "from warren.gateway.configuration.load import load_config\n"
        "from warren.gateway.server import open_server\n"
        "from warren.gateway.command_line import serve\n"
        "async def main():\n"
        "    async with open_server(load_config(environment={'WARREN_LISTEN': 'amqp=127.0.0.1:0',"
        " 'WARREN_IN_MEMORY': 'true', 'WARREN_DATA_DIRECTORY': sys.argv[1]})):\n"
        "        print(*sorted(sys.modules))\n"
        "trio.run(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=True,
    )
    unwanted = ("warren.plugins.", "warren.gateway.plugin", "warren.gateway.client", "warren.adapters.direct")
    assert "warren.adapters.amqp091.connection" in done.stdout.split()
    found = [name for name in done.stdout.split() if name.startswith((*unwanted, "importlib.metadata"))]
    assert found == ["warren.plugins.registry"]

"""The Debian package, the systemd unit, the container and Kubernetes samples: as far as they can be tried here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installation.release import copy_tracked
from tests.support.warren_process import REPOSITORY
from warren.gateway.command_line.checking import Grade, check_configuration
from warren.gateway.configuration.load import load_config

DEPLOY = REPOSITORY / "examples" / "deploy"

pytestmark = pytest.mark.limits(seconds=600)

BUILDERS = ["dpkg-buildpackage"] if shutil.which("dpkg-buildpackage") else ["debian/rules"]
"""Where there is no Debian, its recipe is looked at by make alone."""


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_debian_package(tmp_path: Path, builder: str) -> None:
    tree = tmp_path / "warren"
    tree.mkdir()
    copy_tracked(tree)
    if builder != "dpkg-buildpackage":
        subprocess.run(["make", "-n", "-f", "debian/rules", "binary"], cwd=tree, check=True, capture_output=True)
        return
    bin_directory = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{bin_directory}{os.pathsep}{os.environ['PATH']}",
        "WARREN_PIP": "--no-index --no-deps --no-build-isolation",
        "WARREN_COMPILE": "0",
    }
    built = subprocess.run(
        ["dpkg-buildpackage", "-b", "-us", "-uc", "-d"],
        cwd=tree, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    (package,) = tmp_path.glob("*.deb")
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    for file in (
        "etc/warren/warren.toml",
        "lib/systemd/system/warren.service",
        "usr/lib/sysusers.d/warren.conf",
        "usr/share/man/man1/warren.1.gz",
        "usr/share/bash-completion/completions/warren",
        "usr/share/zsh/vendor-completions/_warren",
        "usr/share/fish/vendor_completions.d/warren.fish",
        "usr/share/doc/warren-mq/copyright",
        "usr/lib/warren/warren/core/broker.py",
    ):
        assert (root / file).is_file(), file
    fields = subprocess.run(["dpkg-deb", "-f", str(package)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^Depends: python3 \(>= 3\.\d+\), python3 \(<< 3\.\d+\)$", fields, re.MULTILINE)
    command = [sys.executable, str(root / "usr/bin/warren"), "version"]
    environment = {**os.environ, "PYTHONPATH": str(root / "usr/lib/warren")}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.startswith("Warren ")
    subprocess.run(["sh", "-n", "debian/postinst"], cwd=tree, check=True)
    subprocess.run(["sh", "-n", "debian/prerm"], cwd=tree, check=True)


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_is_hardened_and_fits_the_broker() -> None:
    found = settings(DEPLOY / "warren.service")
    assert found["Type"] == ["notify"]
    assert found["CapabilityBoundingSet"] == [""]
    assert (found["NoNewPrivileges"], found["ProtectSystem"]) == (["yes"], ["strict"])
    assert found["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    (start,) = found["ExecStart"]
    assert start.split()[:2] == ["/usr/bin/warren", "serve"]
    from warren.gateway.command_line.serve_options import read_options

    assert read_options(start.split()[2:]) == {"data_dir": "/var/lib/warren", "config": "/etc/warren/warren.toml"}


ANALYSERS = [["systemd-analyze", "verify"]] if shutil.which("systemd-analyze") else []


@pytest.mark.parametrize("analyser", [*ANALYSERS, ["cat"]], ids=" ".join)
def test_systemd_takes_the_unit(tmp_path: Path, analyser: list[str]) -> None:
    unit = tmp_path / "warren.service"
    text = (DEPLOY / "warren.service").read_text()
    unit.write_text(
        text.replace("/usr/bin/warren serve", "/bin/true serve").replace("Documentation=man:warren(1)\n", "")
    )
    found = subprocess.run([*analyser, str(unit)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def test_kubernetes() -> None:
    configuration, service, broker = documents("kubernetes.yaml")
    assert [each["kind"] for each in (configuration, service, broker)] == ["ConfigMap", "Service", "StatefulSet"]
    pod = broker["spec"]["template"]
    assert broker["spec"]["replicas"] == 1
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert {each["name"]: each["port"] for each in service["spec"]["ports"]} == ports
    mounts = {each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"] for each in pod["spec"]["volumes"]}
    claims = {each["metadata"]["name"] for each in broker["spec"]["volumeClaimTemplates"]}
    assert mounts == volumes | claims
    assert container["args"][0] == "serve"


def test_what_samples_configure_is_right_and_open_where_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARREN_DEFAULT_USER", "admin")
    monkeypatch.setenv("WARREN_DEFAULT_PASS", "another")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    in_kubernetes = tmp_path / "warren.toml"
    in_kubernetes.write_text(documents("kubernetes.yaml")[0]["data"]["warren.toml"])
    (container,) = documents("kubernetes.yaml")[2]["spec"]["template"]["spec"]["containers"]
    for file in (DEPLOY / "warren.toml", in_kubernetes, REPOSITORY / "debian" / "warren.toml"):
        grades = {finding.grade for finding in check_configuration(file)}
        assert not grades & {Grade.ERROR, Grade.SECURITY, Grade.WARNING}, file
    listening = {each.protocol: each.port for each in load_config(config_file=in_kubernetes).listen}
    assert listening == {each["name"]: each["containerPort"] for each in container["ports"]}
    exposed = re.search(r"^EXPOSE (.*)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert exposed is not None
    of_container = {str(each.port) for each in load_config(config_file=DEPLOY / "warren.toml").listen}
    assert set(exposed[1].split()) == of_container


def test_the_compose_file_opens_what_the_container_has() -> None:
    (compose,) = documents("compose.yaml")
    service = compose["services"]["warren"]
    assert (DEPLOY / service["build"]["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / service["build"]["dockerfile"]).is_file()
    exposed = (DEPLOY / "Containerfile").read_text()
    for port in service["ports"]:
        host, outer, inner = port.rsplit(":", 2)
        assert host == "127.0.0.1", "who opens it to others decides so"
        assert outer == inner
        assert re.search(rf"^EXPOSE .*\b{inner}\b", exposed, re.MULTILINE)
    assert set(service["environment"]) == {"WARREN_DEFAULT_USER", "WARREN_DEFAULT_PASS"}

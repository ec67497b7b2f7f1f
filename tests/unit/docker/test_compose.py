"""What compose.yaml promises: one door, health checks, bounded logs, no secret in sight, no misspelt setting."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from integrations.environment import FILE_FIELDS, GUIDE_NAMES, variable_name
from integrations.settings import Settings, load_settings
from tests.support.repository import REPOSITORY, tool

DOCKER = REPOSITORY / "docker"

OURS = {"api", "receiver", "worker-inference", "worker-delivery", "migrate"}
"""Services that run our code."""

ONE_SHOT = {"migrate"}
"""Services that end by themselves."""

VARIABLE = re.compile(r"\$\{([A-Z0-9_]+):-([^}]*)\}")


def load(name: str) -> dict[str, Any]:
    """Read one compose file; anchors and merge keys are resolved by the parser."""
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text())
    return loaded


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Give compose.yaml."""
    return load("compose.yaml")


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give its services by name."""
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def example() -> dict[str, str]:
    """Read .env.example."""
    lines = (DOCKER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_services_of_the_design_are_there(services: dict[str, Any]) -> None:
    """Every process of the node, and every server it needs."""
    assert services.keys() == OURS | {"gateway", "mysql", "redis", "orthanc", "hapi"}


def test_only_the_gateway_publishes_a_port(services: dict[str, Any]) -> None:
    """One door; the database, the queue, the archive and the receiver stay inside."""
    assert {name for name, service in services.items() if "ports" in service} == {"gateway"}
    assert len(services["gateway"]["ports"]) == 1
    assert not any("network_mode" in service for service in services.values())


def test_every_lasting_service_has_a_health_check(services: dict[str, Any]) -> None:
    """What cannot say that it is well cannot be waited for."""
    assert {name for name, service in services.items() if "healthcheck" not in service} == ONE_SHOT


def test_every_service_is_waited_for_until_it_is_well(services: dict[str, Any]) -> None:
    """Nobody waits for a container that has merely been started."""
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if name in ONE_SHOT else "service_healthy"
            assert condition["condition"] == wanted


def test_every_service_comes_back_and_cannot_fill_the_disk_with_logs(services: dict[str, Any]) -> None:
    """Restart policy and log rotation for all."""
    for name, service in services.items():
        assert service["restart"] == ("on-failure:5" if name in ONE_SHOT else "unless-stopped")
        assert service["logging"]["driver"] == "json-file"
        assert service["logging"]["options"].keys() >= {"max-size", "max-file"}


def test_signals_arrive_and_work_may_end(services: dict[str, Any]) -> None:
    """An init process passes signals on; stopping is given time."""
    assert all(service["init"] is True for service in services.values())
    assert all("stop_grace_period" in service for name, service in services.items() if name not in ONE_SHOT)


def test_our_services_cannot_write_outside_their_volume(services: dict[str, Any]) -> None:
    """Read-only root, no capabilities, no way to more privileges."""
    for name in OURS | {"gateway"}:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert all("no-new-privileges:true" in service["security_opt"] for service in services.values())


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    """No image without a tag, and none called latest."""
    for service in services.values():
        image = VARIABLE.sub(r"\2", service["image"])
        assert re.fullmatch(r"[a-z/]+:[0-9][0-9a-z.-]*", image)


def test_the_database_and_the_queue_are_reached_by_the_node_only(compose: dict[str, Any]) -> None:
    """They are on an internal network, and on no other."""
    assert compose["networks"]["node"] == {"internal": True}
    for name in ("mysql", "redis", "hapi"):
        assert compose["services"][name]["networks"] == ["node"]


def test_named_things_exist(compose: dict[str, Any]) -> None:
    """Networks, volumes and secrets that services use are declared; mounted files are in the repository."""
    for service in compose["services"].values():
        assert set(service["networks"]) <= compose["networks"].keys()
        secrets = [entry if isinstance(entry, str) else entry["source"] for entry in service.get("secrets", [])]
        assert set(secrets) <= compose["secrets"].keys()
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (DOCKER / source).exists() if source.startswith(".") else source in compose["volumes"]


def test_every_variable_of_our_services_is_a_setting(services: dict[str, Any]) -> None:
    """A misspelt NODE_ variable stops the node; a misspelt guide's name would be silently without effect."""
    known = {variable_name(field) for field in Settings.model_fields} | GUIDE_NAMES.keys()
    known |= {variable_name(field) + "_FILE" for field in FILE_FIELDS}
    known |= {name + "_FILE" for name, field in GUIDE_NAMES.items() if field in FILE_FIELDS}
    for name in OURS:
        assert services[name]["environment"].keys() <= known


def test_our_services_start_with_the_environment_that_compose_gives(services: dict[str, Any], tmp_path: Path) -> None:
    """The settings accept it as it stands, secrets from files included."""
    for name in OURS:
        environment = {key: VARIABLE.sub(r"\2", value) for key, value in services[name]["environment"].items()}
        for key, value in environment.items():
            if key.endswith("_FILE") and value:  # a site without e-mail and webhooks has no secret for them
                secret = tmp_path / Path(value).name
                secret.write_text("redis://:word@redis:6379/0" if "redis" in value else "x" * 64)
                environment[key] = str(secret)
                assert Path(value).name in services[name]["secrets"]
        settings = load_settings(environment)
        assert not settings.embedded
        assert settings.archive is not None
        assert settings.redis_url is not None


def test_no_secret_is_written_in_a_file_of_the_repository(services: dict[str, Any]) -> None:
    """Passwords and keys come by file only."""
    secret = re.compile(r"(PASSWORD|SECRET|SECRET_KEY|REDIS_URL|DATABASE_URL)$")
    for service in services.values():
        assert not [name for name in service.get("environment", {}) if secret.search(name)]
    assert not [name for name in example() if secret.search(name)]


def test_the_example_names_every_variable_with_its_default(services: dict[str, Any]) -> None:
    """Copying .env.example changes nothing, and shows everything that can be changed."""
    files = "\n".join(
        (DOCKER / name).read_text() for name in ("compose.yaml", "compose.gpu.yaml", "compose.dicom.yaml")
    )
    assert example() == dict(VARIABLE.findall(files))


def test_the_secrets_that_compose_wants_are_those_that_the_script_makes(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    """Each is made once, closed to other users of the host, and left alone afterwards."""
    script = tmp_path / "make-secrets.sh"
    script.write_text((DOCKER / "make-secrets.sh").read_text())
    subprocess.run(["bash", script], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert first.keys() == {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert folder.stat().st_mode & 0o077 == 0
    assert all(len(value) >= 64 for value in first.values())
    assert first["redis_url"] == f"redis://:{first['redis_password']}@redis:6379/0"
    users = json.loads(first["orthanc_users.json"])["RegisteredUsers"]
    assert users == {"node": first["orthanc_password"]}

    subprocess.run(["bash", script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first


def test_overrides_change_only_services_that_exist(services: dict[str, Any]) -> None:
    """An override of a service that was renamed would start a broken new one."""
    for name in ("compose.gpu.yaml", "compose.dicom.yaml"):
        assert load(name)["services"].keys() <= services.keys()


def test_the_gpu_override_asks_for_a_gpu() -> None:
    """A device reservation, the GPU image, and no silent fallback to the CPU."""
    worker = load("compose.gpu.yaml")["services"]["worker-inference"]
    assert worker["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert worker["build"]["target"] == "node-gpu"
    assert worker["environment"] == {"NODE_EXECUTION_PROVIDER": "cuda"}


def test_the_compose_files_meet_the_specification(tmp_path: Path) -> None:
    """The schema of the Compose specification accepts them, and can refuse."""
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    files = sorted(DOCKER.glob("compose*.yaml"))
    assert subprocess.run([*command, *files], capture_output=True, check=False).returncode == 0
    bad = tmp_path / "compose.yaml"
    bad.write_text((DOCKER / "compose.yaml").read_text().replace("healthcheck:", "healthchek:", 1))
    assert subprocess.run([*command, bad], capture_output=True, check=False).returncode != 0

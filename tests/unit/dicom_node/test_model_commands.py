"""The commands that decide which models run: what they print, and what comes of them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from dicom_node import bootstrap
from dicom_node.cli import cli
from inference.domain.deployment import DeploymentEvent
from inference.domain.model_spec import Deployment
from inference.errors import DeploymentRefused, ModelRecalled, NodeError
from integrations.settings import Settings, load_settings
from tests.support.package_folders import Package, as_tar, write_package

ID = "bright_tissue"
REASON = "it mixes up left and right"

Models = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give the settings of an embedded node that was never started."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NODE_EXECUTION_PROVIDER", "cpu")
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)
    return load_settings(keep_secrets=False)


def invoke(*arguments: str) -> Result:
    """Run a command of the group."""
    with capture_logs():
        return CliRunner().invoke(cli, ["models", *arguments])


@pytest.fixture
def models(settings: Settings) -> Models:
    """Give the group of commands: each gives what it prints, or raises what it ended with."""

    def run(*arguments: str) -> str:
        result = invoke(*arguments)
        if isinstance(result.exception, NodeError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def package(tmp_path: Path) -> Callable[[Package], str]:
    """Give a maker of package folders."""
    return lambda package: str(write_package(tmp_path / f"source {package.version}", package))


def listed(models: Models) -> dict[str, str]:
    """Give what ``models list`` says of each version of the model."""
    rows = (line.split("\t") for line in models("list").splitlines())
    return {row[1]: row[3] for row in rows if row[0] == ID}


def events(settings: Settings) -> list[DeploymentEvent]:
    """Read the log."""
    return list(bootstrap.build_deployment_places(settings).log.events())


def test_the_life_of_a_model(models: Models, package: Callable[[Package], str], settings: Settings) -> None:
    """From the archive to the recall: each command says what it changed, and the log says who gave it."""
    first, second = package(Package("1.0.0", golden=True)), package(Package("1.1.0", threshold=0.6, golden=True))

    assert models("add", first).startswith(f"{ID} 1.0.0 is added: Bright tissue 1.0.0, licence Apache-2.0\n")
    assert listed(models) == {"1.0.0": "inactive"}
    assert models("activate", ID) == f"{ID} 1.0.0 is active now; it was inactive\n"
    models("add", str(as_tar(Path(second), Path(f"{second}.tar.gz"))))
    assert models("shadow", ID, "1.1.0") == f"{ID} 1.1.0 is shadow now; it was inactive\n"
    assert listed(models) == {"1.0.0": "active", "1.1.0": "shadow"}
    told = models("activate", ID, "1.1.0")
    assert told == f"{ID} 1.1.0 is active now; it was shadow\n{ID} 1.0.0 is inactive now\n"
    assert models("activate", ID, "1.1.0") == f"{ID} 1.1.0 is active already\n"
    told = models("rollback", ID)
    assert told == f"{ID} 1.0.0 is active now; it was inactive\n{ID} 1.1.0 is inactive now\n"
    told = models("recall", ID, "1.1.0", "--reason", REASON)
    assert told.startswith(f"{ID} 1.1.0 (")
    assert "was recalled\n0 results are being withdrawn" in told
    assert "was recalled before" in models("recall", ID, "1.1.0", "--reason", REASON)
    assert listed(models) == {"1.0.0": "active", "1.1.0": "recalled"}
    with pytest.raises(ModelRecalled):
        models("activate", ID, "1.1.0")
    assert models("remove", ID, "1.1.0") == f"{ID} 1.1.0 is removed\n"
    assert models("deactivate", ID) == f"{ID} 1.0.0 is inactive now; it was active\n"
    assert listed(models) == {"1.0.0": "inactive"}

    assert [(event.model.version, event.deployment) for event in events(settings)] == [
        ("1.0.0", Deployment.ACTIVE),
        ("1.1.0", Deployment.SHADOW),
        ("1.1.0", Deployment.ACTIVE),
        ("1.0.0", Deployment.ACTIVE),
        ("1.1.0", Deployment.RECALLED),
        ("1.0.0", Deployment.INACTIVE),
    ]
    assert {event.actor for event in events(settings)} == {pwd.getpwuid(os.getuid()).pw_name}


def test_a_package_is_activated_only_for_what_its_maker_saw(
    models: Models, package: Callable[[Package], str], settings: Settings
) -> None:
    """Without golden numbers, or with others, it is kept and does not run."""
    models("add", package(Package("1.0.0")))
    with pytest.raises(DeploymentRefused, match=r"golden\.json"):
        models("activate", ID)

    source = Path(package(Package("1.1.0", golden=True)))
    golden = source / "golden" / "golden.json"
    golden.write_text(golden.read_text().replace('"mean": ', '"mean": 9'))
    models("add", str(source))
    with pytest.raises(DeploymentRefused, match="golden numbers: "):
        models("activate", ID, "1.1.0")
    with pytest.raises(DeploymentRefused, match="golden numbers: "):
        models("shadow", ID, "1.1.0")

    assert listed(models) == {"1.0.0": "inactive", "1.1.0": "inactive"}
    assert events(settings) == []


def test_a_recall_demands_a_reason(models: Models) -> None:
    """Readers of the results will ask."""
    for reason in ((), ("--reason", " ")):
        result = invoke("recall", ID, "1.0.0", *reason)
        assert result.exit_code == 2
        assert "--reason" in result.stderr


def test_looking_leaves_no_trace(models: Models, settings: Settings) -> None:
    """``models list`` works where no node was started, and makes none."""
    assert "brain_structures" in models("list")
    assert not settings.data_dir.exists()


def test_the_whole_group_is_there() -> None:
    """Each command explains itself."""
    told = CliRunner().invoke(cli, ["models", "--help"]).stdout
    for name in ("add", "activate", "deactivate", "shadow", "rollback", "remove", "recall", "list", "verify"):
        assert f"  {name} " in told

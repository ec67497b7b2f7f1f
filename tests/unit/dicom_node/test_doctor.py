"""The doctor tells everything that is wrong, in one look."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from dicom_node import bootstrap, doctor
from dicom_node.cli import cli
from dicom_node.doctor import Finding, examine
from integrations.settings import Settings
from tests.support.free_port import free_port
from tests.support.receiving import receiving

SECRET = "s" * 40

Make = Callable[..., Settings]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Give settings of an embedded node, with changes."""

    def settings(**values: object) -> Settings:
        given = {"data_dir": tmp_path / "data", "queue_secret": SECRET, "jwt_secret": SECRET, **values}
        return bootstrap_folder(Settings(**given))

    return settings


@pytest.fixture
def models_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the models out, whose graphs take a second to load."""
    monkeypatch.setattr(doctor, "_models", lambda _: "not looked at")


def bootstrap_folder(settings: Settings) -> Settings:
    """Make the data folder, as every start does."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return settings


def findings(settings: Settings) -> dict[str, Finding]:
    """Examine, and give the findings by name."""
    return {finding.name: finding for finding in examine(settings)}


def test_an_embedded_node_is_well(make: Make) -> None:
    """Database, queue, models and disk; nothing that is not configured."""
    found = findings(make())
    assert list(found) == ["database", "queue", "models", "disk"]
    assert all(finding.good for finding in found.values()), found
    assert found["database"].detail == "sqlite answers"
    assert found["queue"].detail == "inference: 0 waiting, delivery: 0 waiting"
    assert "brain_structures" in found["models"].detail


@pytest.mark.usefixtures("models_apart")
def test_a_dead_archive_is_one_fault_among_good_parts(make: Make) -> None:
    """The others are examined all the same; title and address are named, so that a person can compare them."""
    port = free_port()
    found = findings(make(archive=f"PACS@127.0.0.1:{port}"))
    assert [name for name, finding in found.items() if not finding.good] == ["archive"]
    assert found["archive"].detail.startswith("delivery.peer_unavailable: ")
    assert f"PACS at 127.0.0.1:{port}" in found["archive"].detail


@pytest.mark.usefixtures("models_apart")
def test_an_archive_that_answers(make: Make, tmp_path: Path) -> None:
    """By C-ECHO under our own title; here the archive is our own receiver."""
    with receiving(tmp_path / "spool") as archive:
        settings = make(archive=f"NEURONOVA@127.0.0.1:{archive.port}")
        assert findings(settings)["archive"] == Finding("archive", True, "NEURONOVA answers C-ECHO")
        settings = make(archive=f"OTHER@127.0.0.1:{archive.port}")
        assert not findings(settings)["archive"].good


@pytest.mark.usefixtures("models_apart")
def test_every_destination_is_asked(make: Make, tmp_path: Path) -> None:
    """Each under its name, as far as can be asked without leaving anything there; a folder is not asked."""
    file = tmp_path / "destinations.toml"
    file.write_text(
        f'[[destination]]\nname = "pacs"\ndicom = "PACS@127.0.0.1:{free_port()}"\n'
        f'[[destination]]\nname = "research"\nstow = "http://127.0.0.1:{free_port()}/dicom-web"\n'
        f'[[destination]]\nname = "copy"\nfolder = "{tmp_path}"\n'
    )
    found = findings(make(destinations=file))
    assert [name for name, finding in found.items() if not finding.good] == [
        "destination pacs",
        "destination research",
    ]
    assert "destination copy" not in found


@pytest.mark.usefixtures("models_apart")
def test_a_file_of_destinations_that_is_wrong_is_a_fault(make: Make, tmp_path: Path) -> None:
    """With what is wrong in it."""
    (tmp_path / "destinations.toml").write_text("[[destination]]\nname = 7\n")
    finding = findings(make(destinations=tmp_path / "destinations.toml"))["destinations"]
    assert not finding.good
    assert "name" in finding.detail


@pytest.mark.usefixtures("models_apart")
def test_an_hl7_receiver_must_take_connections(make: Make) -> None:
    """No message is sent to find out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert findings(make(hl7=f"127.0.0.1:{port}"))["HL7 receiver"].good
    assert not findings(make(hl7=f"127.0.0.1:{port}"))["HL7 receiver"].good


@pytest.mark.usefixtures("models_apart")
def test_a_report_server_must_answer_a_search(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer, one that answers with something else, and one that is well."""
    settings = make(report_url=f"http://127.0.0.1:{free_port()}/fhir")
    assert findings(settings)["report server"] == Finding("report server", False, "ConnectError")
    for status, good in ((404, False), (200, True)):
        asked: list[str] = []
        answer = httpx.Response(status)
        monkeypatch.setattr(doctor.httpx, "get", lambda url, _a=answer, _b=asked, **_: (_b.append(url), _a)[1])
        found = findings(settings)["report server"]
        assert (found.good, asked) == (good, [f"{settings.report_url}/Patient"])
        assert good or "404" in found.detail


@pytest.mark.usefixtures("models_apart")
def test_a_full_disk_is_told(make: Make) -> None:
    """Below the reserve the receiver refuses, so the doctor says it first."""
    found = findings(make(spool_reserve_mb=10**9))
    assert not found["disk"].good
    assert "are to be kept free" in found["disk"].detail


def test_a_model_package_that_cannot_be_used_is_a_fault(make: Make, tmp_path: Path) -> None:
    """Somebody put it there to be used."""
    (tmp_path / "models" / "broken").mkdir(parents=True)
    (tmp_path / "models" / "broken" / "manifest.toml").write_text("nonsense = 1")
    found = findings(make(models_dirs=str(tmp_path / "models")))
    assert not found["models"].good
    assert "broken: " in found["models"].detail


@pytest.mark.usefixtures("models_apart")
def test_servers_that_are_away_are_told_without_their_passwords(make: Make) -> None:
    """An address may hold a password, and the doctor's words are pasted into mails."""
    port = free_port()
    found = findings(
        make(
            database_url=f"mysql+pymysql://node:hidden-word@127.0.0.1:{port}/node",
            redis_url=f"redis://:hidden-word@127.0.0.1:{port}/0",
        )
    )
    assert [name for name, finding in found.items() if not finding.good] == ["database", "queue"]
    assert "hidden-word" not in str(found)


@pytest.mark.usefixtures("models_apart")
@pytest.mark.parametrize("good", [True, False])
def test_the_exit_status_tells_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, good: bool) -> None:
    """0 when all is well, 1 when something is not; a line for each part."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)
    if not good:
        monkeypatch.setenv("NODE_ARCHIVE", f"PACS@127.0.0.1:{free_port()}")

    result = CliRunner().invoke(cli, ["doctor"])

    assert result.exit_code == (0 if good else 1)
    lines = result.stdout.splitlines()
    assert len([line for line in lines if line.startswith("ok    ")]) == 4
    assert [line[:13] for line in lines if line.startswith("FAIL")] == ([] if good else ["FAIL  archive"])


def test_an_unforeseen_fault_is_a_finding(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor never stops half-way."""

    def fail(_: Settings) -> str:
        raise ZeroDivisionError("hidden-word")

    monkeypatch.setattr(doctor, "_models", fail)
    found = findings(make())
    assert found["models"] == Finding("models", False, "ZeroDivisionError")
    assert found["disk"].good

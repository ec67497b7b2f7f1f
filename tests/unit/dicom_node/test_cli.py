"""The command line: what each command prints, and with which status it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node import __version__, bootstrap
from dicom_node.cli import EX_CONFIG, cli, main
from dicom_node.commands import serve
from dicom_node.contexts import RECEIVED_TRANSFER_SYNTAXES, supported_contexts
from inference.errors import PeerUnavailable, StoreUnavailable
from integrations.persistence.engine import make_engine
from integrations.settings import is_embedded

PASSWORD = "a long password for tests"

Node = Callable[..., Result]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Give a command line of an embedded node with its data in a folder of the test."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, arguments, input=stdin)

    return invoke


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the console script and give its status."""
    monkeypatch.setattr(sys, "argv", ["dicom-node", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


# Ends


def test_every_fault_of_the_settings_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit status 78 (EX_CONFIG), one line for each fault, nothing written, and no value shown."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NODE_DICOM_PORT", "99999")
    monkeypatch.setenv("NODE_ARCHIVE", "nonsense-value")
    monkeypatch.setenv("NODE_DICOM_PROT", "11112")

    for command in ("migrate", "doctor", "conformance", "receive", "api"):
        assert run_main(monkeypatch, command) == EX_CONFIG
        told = capsys.readouterr().err
        for name in ("NODE_DICOM_PORT", "NODE_ARCHIVE", "NODE_DICOM_PROT"):
            assert name in told
        assert "nonsense-value" not in told
        assert "Traceback" not in told
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("error", [PeerUnavailable("nobody answers"), StoreUnavailable("no database")])
def test_an_error_of_ours_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """Code and message, status 1."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(bootstrap, "prepare", fail)
    assert run_main(monkeypatch, "migrate") == 1
    assert capsys.readouterr().err == f"dicom-node: {error.code}: {error.message}\n"  # type: ignore[attr-defined]


def test_help_and_version_need_no_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They work on a machine where nothing is set up, or set up wrongly."""
    monkeypatch.setenv("NODE_DICOM_PORT", "nonsense")
    assert run_main(monkeypatch, "--version") == 0
    assert __version__ in capsys.readouterr().out
    assert run_main(monkeypatch, "-h") == 0
    listed = capsys.readouterr().out
    for name in (
        "up",
        "demo",
        "receive",
        "work",
        "api",
        "infer",
        "models",
        "migrate",
        "users",
        "conformance",
        "doctor",
    ):
        assert name in listed


# Users


def test_users_are_made_listed_and_kept_out(node: Node) -> None:
    """The whole life of an account, with passwords from standard input."""
    made = node("users", "create-admin", "Root", "--password-stdin", stdin=PASSWORD + "\n")
    assert (made.exit_code, made.stdout) == (0, "Root may log in as admin\n")
    node("users", "create", "doc", "--role", "doctor", "--password-stdin", stdin=PASSWORD)
    assert node("users", "list").stdout == "doc\tdoctor\tactive\nroot\tadmin\tactive\n"

    assert node("users", "deactivate", "doc").exit_code == 0
    assert "doc\tdoctor\tdeactivated" in node("users", "list").stdout


def test_the_password_is_the_line_and_never_shown(node: Node) -> None:
    """Only the end of the line is no part of it; a new one replaces the old."""
    users = bootstrap.build_users(bootstrap.prepare())
    made = node("users", "create", "doc", "--role", "doctor", "--password-stdin", stdin=f" {PASSWORD} \n")
    assert users.authenticate("doc", f" {PASSWORD} ") is not None
    changed = node("users", "set-password", "doc", "--password-stdin", stdin=PASSWORD + "\r\n")
    assert users.authenticate("doc", PASSWORD) is not None
    assert PASSWORD not in made.output + changed.output


def test_a_password_is_asked_for_twice(node: Node) -> None:
    """Where nobody pipes it in."""
    made = node("users", "create", "doc", "--role", "doctor", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0
    assert PASSWORD not in made.output
    differs = node("users", "create", "other", "--role", "doctor", stdin=f"{PASSWORD}\nsomething else\n")
    assert differs.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("users", "create", "doc", "--role", "surgeon", "--password-stdin"), "role"),
        (("users", "create", "a b", "--role", "doctor", "--password-stdin"), "a name has"),
        (("users", "set-password", "nobody", "--password-stdin"), "no user nobody"),
        (("users", "deactivate", "nobody"), "no user nobody"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    node: Node,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    """A person at the terminal sees what to change."""
    result = node(*arguments, stdin=PASSWORD)
    assert result.exit_code == 1
    assert told in str(result.exception)
    assert result.stdout == ""


def test_programs_get_no_password(node: Node) -> None:
    """A service account has keys with scopes; a password would open everything, for ever."""
    refused = node("users", "create", "bridge", "--role", "service", "--password-stdin", stdin=PASSWORD)

    assert refused.exit_code == 1
    assert node("users", "list").stdout == ""


def test_the_last_administrator_stays(node: Node) -> None:
    """Also at the command line: a node that nobody can administer is of no use."""
    node("users", "create-admin", "root", "--password-stdin", stdin=PASSWORD)

    refused = node("users", "deactivate", "root")

    assert refused.exit_code == 1
    assert "root\tadmin\tactive" in node("users", "list").stdout


def test_a_user_for_each_role_is_made_for_tests(node: Node) -> None:
    """One name per role, one password for all; what is there stays as it is."""
    node("users", "create", "doctor", "--role", "nurse", "--password-stdin", stdin="another long password")

    made = node("users", "create-test-users", "--password-stdin", stdin=PASSWORD)

    roles = ["admin", "doctor", "nurse", "radiologist", "technician"]
    assert (made.exit_code, [line.split()[0] for line in made.stdout.splitlines()]) == (0, roles)
    users = bootstrap.build_users(bootstrap.prepare())
    assert users.authenticate("radiologist", PASSWORD) is not None
    assert users.get("doctor").role == "nurse"
    assert users.authenticate("doctor", PASSWORD) is None


def test_no_test_users_where_patients_may_be(node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A node on a database server refuses, unless it is told to."""
    settings = bootstrap.prepare()
    served = settings.model_copy(update={"db_host": "db", "database_url": None})
    monkeypatch.setattr(bootstrap, "prepare", lambda: served)
    monkeypatch.setattr(bootstrap, "make_engine", lambda _: make_engine(settings))

    refused = node("users", "create-test-users", "--password-stdin", stdin=PASSWORD)
    forced = node("users", "create-test-users", "--force", "--password-stdin", stdin=PASSWORD)

    assert (refused.exit_code, forced.exit_code) == (1, 0)
    assert "--force" in refused.output
    assert PASSWORD not in refused.output + forced.output


def test_a_new_password_ends_sessions(node: Node) -> None:
    """Whoever had the old one is out."""
    node("users", "create", "doc", "--role", "doctor", "--password-stdin", stdin=PASSWORD)
    sessions = bootstrap.build_sessions(bootstrap.prepare())
    session_id = sessions.open("doc").session_id

    node("users", "set-password", "Doc", "--password-stdin", stdin="another long password")

    assert not sessions.is_open(session_id)


def test_an_empty_password_is_refused(node: Node) -> None:
    """As when a pipe breaks."""
    result = node("users", "create", "doc", "--role", "doctor", "--password-stdin", stdin="")
    assert result.exit_code == 1
    assert node("users", "list").stdout == ""


# Looking at the node


def test_the_conformance_statement_needs_nothing(node: Node, tmp_path: Path) -> None:
    """It is printed from code and settings; no folder is made for it."""
    printed = node("conformance").stdout
    for uid in (*RECEIVED_TRANSFER_SYNTAXES, *(str(c.abstract_syntax) for c in supported_contexts())):
        assert f"| {uid} |" in printed
    assert not (tmp_path / "data").exists()


# Serving


class RecordedProcess:
    """Takes the place of a long-running process."""

    def __init__(self) -> None:
        self.ran = False

    def run(self, stop: object) -> None:
        """Note that it was run."""
        self.ran = stop is not None


@pytest.mark.parametrize(
    ("arguments", "builder"),
    [
        (("receive",), "build_receiver"),
        (("work", "--queue", "inference"), "build_worker"),
        (("work", "--queue", "delivery", "--threads", "3"), "build_worker"),
        (("up",), "supervisor"),
    ],
    ids=" ".join,
)
def test_serving_commands_run_their_process(
    node: Node, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], builder: str
) -> None:
    """On a migrated database, until a signal; what computes for seconds lets others go first."""
    process, built, nices = RecordedProcess(), [], []
    monkeypatch.setattr(serve, "stop_on_signals", object)
    monkeypatch.setattr(serve.os, "nice", nices.append)
    monkeypatch.setattr(bootstrap, builder, lambda *given: (built.extend(given), process)[1])

    result = node(*arguments)

    assert result.exit_code == 0, result.output
    assert process.ran
    assert nices == ([serve.INFERENCE_NICENESS] if "inference" in arguments else [])
    if builder == "build_worker":
        assert [*map(str, built[1:])] == [arguments[2], arguments[4] if len(arguments) > 3 else "1"]
    if builder == "supervisor":
        assert "NEURONOVA@" in result.stdout
        assert "http://127.0.0.1:8000/" in result.stdout
    assert node("users", "list").exit_code == 0


def test_the_api_is_gunicorns(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process becomes gunicorn on the address of the settings."""
    monkeypatch.setenv("NODE_API_PORT", "8123")
    taken: list[list[str]] = []
    monkeypatch.setattr(serve.os, "execv", lambda _, arguments: taken.append(arguments))

    assert node("api", "--workers", "2").exit_code == 0

    (arguments,) = taken
    assert arguments[:4] == [sys.executable, "-m", "gunicorn", "control_api.wsgi:create()"]
    options = dict(zip(arguments[4::2], arguments[5::2], strict=False))
    assert (options["--bind"], options["--workers"]) == ("127.0.0.1:8123", "2")


def test_migrate_makes_the_schema_and_may_be_repeated(node: Node, tmp_path: Path) -> None:
    """As an operator does before an update."""
    for _ in range(2):
        assert node("migrate").stdout == "schema is up to date\n"
    assert (tmp_path / "data" / "node.sqlite3").exists()
    assert is_embedded({})


def test_master_data_are_entered_once(node: Node) -> None:
    """The command may be given again: it says what it entered, and what was there."""
    first = node("master-data", "seed")
    again = node("master-data", "seed")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert all(line.endswith(" 0 there already") for line in first.output.splitlines())
    assert [line.split(": ")[1].startswith("0 entered") for line in again.output.splitlines()] == [True] * 3

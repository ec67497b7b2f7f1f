"""The API as it runs in production: gunicorn on a database of its own, in a temporary folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from integrations.persistence.engine import make_engine
from integrations.persistence.migrations import upgrade
from integrations.persistence.users import SQLUserStore
from integrations.settings import Settings, child_environment, load_settings
from integrations.system import SystemClock
from tests.support.free_port import free_port
from tests.support.server_process import ServerProcess

PASSWORD = "a long password for tests"


@dataclass(frozen=True)
class APIProcess:
    """A running API.

    Parameters
    ----------
    address
        Host and port.
    settings
        What it runs with, to look at the same database.
    log
        What it logged.
    process
        gunicorn's master.
    """

    address: str
    settings: Settings
    log: Path
    process: ServerProcess

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def stop(self) -> None:
        """End it."""
        self.process.stop()


def start_api(folder: Path, users: Mapping[str, str], more: Mapping[str, str] | None = None) -> APIProcess:
    """Migrate an embedded database, create users, and start gunicorn with two workers on a free port.

    Parameters
    ----------
    folder
        An empty folder.
    users
        Roles by name; every password is ``PASSWORD``.
    more
        Further settings, as environment variables.
    """
    address = f"127.0.0.1:{free_port()}"
    environment = child_environment(
        {"NODE_DATA_DIR": str(folder / "data"), "NODE_SPOOL_RESERVE_MB": "0", **(more or {})}
    )
    settings = load_settings(environment)
    engine = make_engine(settings)
    upgrade(engine)
    accounts = SQLUserStore(engine, SystemClock())
    for name, role in users.items():
        accounts.create(name, PASSWORD, role)
    command = [
        *(sys.executable, "-m", "gunicorn", "control_api.wsgi:create()", "--bind", address),
        *("--workers", "2", "--worker-class", "gthread", "--threads", "4", "--no-control-socket"),
    ]
    api = APIProcess(address, settings, folder / "api.log", ServerProcess(command, folder / "api.log", environment))

    def answers() -> bool:
        try:
            return httpx.get(f"{api.url}/api/health/live").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    api.process.wait_ready(answers, "the API")
    return api

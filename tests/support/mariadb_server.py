"""A real MariaDB in a temporary folder, started once per test run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import URL

from tests.support.free_port import free_port
from tests.support.server_process import ServerProcess, required_command


class MariaDB:
    """A server that can be stopped and started again on the same data and port.

    Parameters
    ----------
    folder
        Where everything of the server lies.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._numbers = count(1)
        self._user = ["--user=root"] if os.geteuid() == 0 else []
        data = f"--datadir={folder / 'data'}"
        subprocess.run(
            [
                *(required_command("mariadb-install-db"), "--no-defaults", data, *self._user),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            check=True,
            capture_output=True,
        )
        self._process = self._start()

    def _start(self) -> ServerProcess:
        process = ServerProcess(
            [
                *(required_command("mariadbd"), "--no-defaults", *self._user, f"--datadir={self._folder / 'data'}"),
                *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self._folder / 's'}"),
                *(f"--pid-file={self._folder / 'pid'}", "--innodb-buffer-pool-size=64M"),
            ],
            self._folder / "server.log",
        )
        process.wait_ready(self._answers, "MariaDB")
        return process

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def _connect(self) -> pymysql.Connection[Any]:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root")

    def new_database(self) -> URL:
        """Create an empty schema with an old default charset, which ours must not depend on; give its address."""
        name = f"node_{next(self._numbers)}"
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET latin1")
        return URL.create("mysql+pymysql", "root", None, "127.0.0.1", self.port, name)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()

    def restart(self) -> None:
        """Start it again on the same data and port."""
        self._process = self._start()

    def stop(self) -> None:
        """End it."""
        self._process.stop()


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """Give a running MariaDB; each user makes a schema of its own."""
    server = MariaDB(tmp_path_factory.mktemp("mariadb"))
    yield server
    server.stop()


@pytest.fixture
def own_mariadb_server(tmp_path: Path) -> Iterator[MariaDB]:
    """Give a running MariaDB for one test that may kill it."""
    folder = tmp_path / "mariadb"
    folder.mkdir()
    server = MariaDB(folder)
    yield server
    server.stop()

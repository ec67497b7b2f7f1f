"""A real Redis in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.free_port import free_port
from tests.support.server_process import ServerProcess, required_command


class RedisServer:
    """A server with an append-only file, as production needs it, that can be killed and started again.

    Parameters
    ----------
    folder
        Where its data lie.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process = self._start()

    @property
    def url(self) -> str:
        """The address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def url_of(self, number: int) -> str:
        """Give the address of another database, for a second node that must not take the first one's messages."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    def client(self) -> redis.Redis:
        """Give a client of its own."""
        return redis.Redis.from_url(self.url)

    def _start(self) -> ServerProcess:
        process = ServerProcess(
            [
                *(required_command("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            ],
            self._folder / "server.log",
        )
        process.wait_ready(self._answers, "Redis")
        return process

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

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
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a running Redis, shared; empty it before use with ``client().flushall()``."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Give a running Redis for one test that may kill it."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    yield server
    server.stop()

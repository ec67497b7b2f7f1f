"""The queue of compose.yaml, on a real Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support.free_port import free_port
from tests.support.repository import REPOSITORY
from tests.support.server_process import ServerProcess, required_command

pytestmark = pytest.mark.integration


def test_redis_starts_with_it_and_keeps_what_it_was_given(tmp_path: Path) -> None:
    """Append-only, never evicting: a full queue says so instead of dropping messages."""
    port = free_port()
    command = [
        *(required_command("redis-server"), str(REPOSITORY / "docker" / "redis" / "redis.conf")),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--requirepass", "word"),
    ]
    server = ServerProcess(command, tmp_path / "redis.log")
    client = redis.Redis(port=port, password="word")

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    try:
        server.wait_ready(answers, "Redis")
        configured = client.config_get("appendonly", "maxmemory-policy", "protected-mode")
        assert configured == {"appendonly": "yes", "maxmemory-policy": "noeviction", "protected-mode": "yes"}
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
    finally:
        client.close()
        server.stop()

"""The servers that a node in production stands on, each in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pymysql

from benchmarks.processes import running
from dicom_node.demo.free_port import free_port

SECRETS = {"NODE_QUEUE_SECRET": "q" * 48, "NODE_JWT_SECRET": "j" * 48}


@contextmanager
def production_environment(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run MariaDB and Redis, and give the settings of a node that uses them."""
    with mariadb(folder / "mariadb") as database, redis(folder / "redis") as queue:
        yield {
            "NODE_DATA_DIR": str(folder / "data"),
            "NODE_DATABASE_URL": database,
            "NODE_REDIS_URL": queue,
            "NODE_LOG_LEVEL": "WARNING",
            "NODE_RATE_LIMIT": "0",
            **SECRETS,
        }


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run MariaDB with its default durability and give the address of an empty schema."""
    folder.mkdir()
    port, data = free_port(), f"--datadir={folder / 'data'}"
    user = ["--user=root"] if os.geteuid() == 0 else []
    install = ["mariadb-install-db", "--no-defaults", data, *user, "--auth-root-authentication-method=normal"]
    subprocess.run(install, check=True, capture_output=True)
    server = ["mariadbd", "--no-defaults", data, *user, f"--port={port}", "--bind-address=127.0.0.1"]
    with running([*server, f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"], port):
        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
            connection.cursor().execute("CREATE DATABASE node")
        yield f"mysql+pymysql://root@127.0.0.1:{port}/node"


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run Redis with an append-only file, as production does, and give its address."""
    folder.mkdir()
    port = free_port()
    options = ["--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    with running(["redis-server", "--port", str(port), *options], port):
        yield f"redis://127.0.0.1:{port}/0"

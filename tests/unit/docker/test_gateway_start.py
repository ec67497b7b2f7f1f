"""The gateway's image renders its configuration by a script of its own: it must be what nginx accepts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from control_api.app_pages import BUILT
from tests.support.nginx_server import VIEWER_ROOT, render
from tests.support.repository import REPOSITORY
from tests.support.server_process import required_command

pytestmark = pytest.mark.integration

SCRIPT = REPOSITORY / "docker" / "gateway" / "start.sh"


def start(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the start script with nginx's options."""
    nginx = Path(required_command("nginx"))
    environment = {
        "PATH": os.pathsep.join([str(nginx.parent), "/usr/bin", "/bin"]),
        "GATEWAY_SOURCE": str(REPOSITORY / "nginx"),
        "GATEWAY_LISTEN": "127.0.0.1:8080",
        "API_UPSTREAM": "127.0.0.1:8000",
        "STATIC_ROOT": str(REPOSITORY / "control_api" / "static"),
        "SPA_ROOT": str(BUILT),
        "VIEWER_ROOT": str(VIEWER_ROOT),
        "GATEWAY_RUN": str(folder),
    }
    return subprocess.run(["sh", SCRIPT, *options], env=environment, capture_output=True, text=True, check=False)


def test_nginx_accepts_what_the_script_renders(tmp_path: Path) -> None:
    """``nginx -t`` on the result; no variable is left over."""
    done = start(tmp_path, "-t")
    assert done.returncode == 0, done.stderr
    assert "test is successful" in done.stderr
    assert "${" not in (tmp_path / "nginx.conf").read_text()


def test_it_renders_what_the_tests_of_the_gateway_render(tmp_path: Path) -> None:
    """What is tested is what is deployed."""
    start(tmp_path, "-t")
    (tmp_path / "other").mkdir()
    expected = render(tmp_path / "other", "127.0.0.1:8080", "127.0.0.1:8000").read_text()
    assert (tmp_path / "nginx.conf").read_text() == expected.replace(str(tmp_path / "other"), str(tmp_path))


def test_nginx_can_refuse(tmp_path: Path) -> None:
    """A check that accepts everything would prove nothing above."""
    assert start(tmp_path, "-t", "-g", "no_such_directive;").returncode != 0

"""The project's gateway: the real Nginx with the real configuration, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import string
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from control_api.app_pages import BUILT
from control_api.status_page import STATIC_FOLDER
from tests.support.free_port import free_port
from tests.support.repository import REPOSITORY
from tests.support.server_process import ServerProcess, required_command

VIEWER_ROOT: Final = REPOSITORY / "docker" / "ohif" / "build"
"""Where ``make viewer`` lays OHIF, in ``pacs-viewer/``."""


@dataclass(frozen=True)
class Gateway:
    """A running gateway.

    Parameters
    ----------
    url
        Its address.
    log
        Its access log and errors, one JSON document a line.
    process
        The server.
    """

    url: str
    log: Path
    process: ServerProcess

    def stop(self) -> None:
        """End it."""
        self.process.stop()


def render(folder: Path, listen: str, upstream: str) -> Path:
    """Render the configuration as the gateway's image does with ``envsubst``, and give the file.

    Parameters
    ----------
    folder
        Where everything the server writes goes.
    listen
        Address and port.
    upstream
        Host and port of the API.
    """
    values = {
        "GATEWAY_LISTEN": listen,
        "API_UPSTREAM": upstream,
        "STATIC_ROOT": str(STATIC_FOLDER),
        "SPA_ROOT": str(BUILT),
        "VIEWER_ROOT": str(VIEWER_ROOT),
        "GATEWAY_RUN": str(folder),
    }
    text = (REPOSITORY / "nginx" / "nginx.conf.template").read_text(encoding="utf-8")
    rendered = folder / "nginx.conf"
    rendered.write_text(_Braced(text).safe_substitute(values), encoding="utf-8")
    shutil.copytree(REPOSITORY / "nginx" / "snippets", folder / "snippets", dirs_exist_ok=True)
    return rendered


class _Braced(string.Template):
    """Replaces ``${CAPITALS}`` only, as ``envsubst`` with a list of names does; Nginx has dollars of its own."""

    pattern = r"\$(?:(?P<escaped>(?!))|(?P<named>(?!))|\{(?P<braced>[A-Z_]+)\}|(?P<invalid>(?!)))"  # type: ignore[assignment]


def command(configuration: Path, *options: str) -> list[str]:
    """Give the command that runs Nginx in its folder; as root it keeps its rights, for the folder is private."""
    directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    return [
        *(required_command("nginx"), "-p", str(configuration.parent), "-c", str(configuration)),
        *("-g", directives, *options),
    ]


def check(configuration: Path) -> str:
    """Let Nginx itself check the configuration (``nginx -t``); give what it says."""
    done = subprocess.run(command(configuration, "-t"), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def start_gateway(folder: Path, upstream: str, changes: Sequence[tuple[str, str]] = ()) -> Gateway:
    """Start the gateway on a free port in front of an API.

    Parameters
    ----------
    folder
        An empty folder.
    upstream
        Host and port of the API; it need not answer.
    changes
        What a test needs otherwise in the rendered configuration: texts that are there once, and what replaces them.
    """
    port = free_port()
    rendered = render(folder, f"127.0.0.1:{port}", upstream)
    for old, new in changes:
        text = rendered.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"the configuration has no {old!r}, or more than one"
        rendered.write_text(text.replace(old, new), encoding="utf-8")
    process = ServerProcess(command(rendered), folder / "server.log")
    gateway = Gateway(f"http://127.0.0.1:{port}", folder / "server.log", process)

    def answers() -> bool:
        try:
            return httpx.get(gateway.url).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    process.wait_ready(answers, "Nginx")
    return gateway

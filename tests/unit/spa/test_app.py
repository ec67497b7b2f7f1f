"""The app's own unit tests (vitest), so that one command runs them all."""

from __future__ import annotations

import subprocess

from tests.support.repository import REPOSITORY
from tests.support.server_process import required_command

APP = REPOSITORY / "control_api" / "spa"


def test_the_units_of_the_app_do_what_they_should() -> None:
    """Sessions, tags, texts in both languages, the viewer's keys, reviews: ``npm test`` says which is wrong."""
    command = [required_command("npm"), "--prefix", str(APP), "test"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout + done.stderr

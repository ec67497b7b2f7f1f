"""The API's image lacks the heavy libraries: the API must start and answer without them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.repository import REPOSITORY

ANSWER = """
import sys
for name in {absent!r}:
    sys.modules[name] = None  # importing it now raises ImportError
from control_api.wsgi import create
answer = create().test_client().get("/api/health/live")
print(answer.status_code)
"""


def test_the_api_answers_without_what_its_image_lacks(tmp_path: Path) -> None:
    """Built and asked in a process of its own, in which the removed packages cannot be imported."""
    removed = re.findall(r"pip uninstall --yes (.+)", (REPOSITORY / "docker" / "Dockerfile").read_text())[0].split()
    absent = ["gdcm" if name == "python-gdcm" else name for name in removed]
    environment = {"NODE_DATA_DIR": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", ANSWER.format(absent=absent)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split()[-1:] == ["200"], done.stderr

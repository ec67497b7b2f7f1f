"""Each rule of ruff that the project relies on must catch what it is meant to catch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY, tool

HEAD = '"""A module."""\n\nfrom __future__ import annotations\n\n'

BAD = [
    ("TID251", "inference/sample.py", "import os\n\nHOME = os.environ\n"),
    ("TID251", "dicom_node/sample.py", 'import os\n\nHOME = os.getenv("HOME")\n'),
    ("TID251", "inference/sample.py", "import datetime\n\nNOW = datetime.datetime.now(datetime.UTC)\n"),
    ("TID251", "control_api/sample.py", "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n"),
    ("TID251", "dicom_node/sample.py", "import uuid\n\nNAME = uuid.uuid4()\n"),
    ("TID251", "tests/unit/sample.py", "import time\n\ntime.sleep(1)\n"),
    ("TID252", "inference/sample.py", "from . import errors\n\nERRORS = errors\n"),
    ("BLE001", "inference/sample.py", "try:\n    X = 1\nexcept Exception:\n    X = 2\n"),
    ("D103", "inference/sample.py", "def public() -> None:\n    return None\n"),
    ("T201", "dicom_node/sample.py", 'print("a name")\n'),
    ("DTZ005", "inference/sample.py", "import datetime\n\nNOW = datetime.datetime.now()\n"),
    ("S608", "integrations/sample.py", 'NAME = "x"\nQUERY = "SELECT * FROM jobs WHERE id = \'" + NAME + "\'"\n'),
    ("B904", "inference/sample.py", 'try:\n    X = 1\nexcept ValueError:\n    raise TypeError("x")\n'),
]


def ruff(source: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ruff on a source text as if it were the named file of the repository."""
    command = [tool("ruff"), *arguments, "--no-cache", "--stdin-filename", name, "-"]
    return subprocess.run(command, input=source, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("rule", "name", "source"), BAD)
def test_bad_code_is_found(rule: str, name: str, source: str) -> None:
    """The rule fires, by name."""
    done = ruff(HEAD + source, name, "check", "--output-format", "concise")
    assert done.returncode == 1
    assert f" {rule} " in done.stdout


def test_good_code_passes() -> None:
    """A check that fails on everything would prove nothing above."""
    done = ruff(HEAD + "ANSWER = 42\n", "inference/sample.py", "check")
    assert done.returncode == 0, done.stdout


def test_disorder_is_found() -> None:
    """The formatter refuses what it would write differently."""
    assert ruff("ANSWER=  42\n", "inference/sample.py", "format", "--check").returncode == 1


def test_the_environment_is_read_in_one_module_only() -> None:
    """The ban is lifted by a comment in integrations/settings.py and, for whole child processes, nowhere silently."""
    lifted = [
        str(path.relative_to(REPOSITORY))
        for package in ("inference", "models", "integrations", "dicom_node", "control_api")
        for path in sorted(Path(REPOSITORY, package).rglob("*.py"))
        if "environ" in (text := path.read_text()) and "noqa: TID251" in text
    ]
    assert lifted == ["integrations/settings.py"]

"""Mypy as configured must be strict."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY, tool

BAD = [
    ("no-untyped-def", "def double(x):\n    return x\n"),
    ("arg-type", "from inference.domain.identifiers import UID\n\nuid = UID(1)\n"),
    ("type-arg", "def first(items: list) -> None:\n    return None\n"),
    ("ignore-without-code", "answer: int = 'x'  # type: ignore\n"),
    ("unreachable", "def f(x: int) -> int:\n    if isinstance(x, str):\n        return 1\n    return 2\n"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one cache for all runs, so that the standard library is read once."""
    return tmp_path_factory.mktemp("mypy")


def mypy(source: str, folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Check one source text under the project's configuration."""
    path = folder / "sample.py"
    path.write_text(source)
    command = [tool("mypy"), "--config-file", "setup.cfg", "--cache-dir", str(cache), str(path)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("code", "source"), BAD)
def test_bad_types_are_found(code: str, source: str, tmp_path: Path, cache: Path) -> None:
    """The error is reported under its code."""
    done = mypy(source, tmp_path, cache)
    assert done.returncode == 1
    assert f"[{code}]" in done.stdout


def test_good_types_pass(tmp_path: Path, cache: Path) -> None:
    """A check that fails on everything would prove nothing above."""
    done = mypy("def double(x: int) -> int:\n    return 2 * x\n", tmp_path, cache)
    assert done.returncode == 0, done.stdout

"""What holds for the repository as a whole, file by file."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY, tracked_files

FORBIDDEN_NAMES = {"utils.py", "util.py", "common.py", "helpers.py", "base.py", "manager.py", "misc.py"}

MACHINE_PATH = re.compile(r"(?<![\w.$/-])/(?:work|root|home/\w+)/[\w.-]+")
"""A path that exists on one machine only."""

REGISTRY = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|https?://[\w.-]*(?:pypi|pythonhosted|npmjs|repo1?\.maven)[\w.-]*/"
)
"""Where packages come from is the business of the machine's settings."""

LARGEST_BYTES = 8 * 2**20


def text_files() -> list[Path]:
    """List the tracked files that are text, without this one, which holds the patterns."""
    binary = {".onnx", ".npz", ".png", ".dcm", ".gz"}
    return [path for path in tracked_files() if path.suffix not in binary and path != Path(__file__)]


def python_files() -> list[Path]:
    """List the tracked Python files."""
    return [path for path in tracked_files() if path.suffix == ".py"]


def make_targets() -> set[str]:
    """List the Makefile's targets that ``make help`` shows."""
    return set(re.findall(r"^([a-z0-9-]+):.*## ", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))


def relative(paths: list[Path]) -> list[str]:
    """Give the paths as git shows them."""
    return [str(path.relative_to(REPOSITORY)) for path in paths]


def test_no_module_has_a_name_that_says_nothing() -> None:
    """Modules are split by meaning."""
    assert not relative([path for path in python_files() if path.name in FORBIDDEN_NAMES])


def test_every_module_says_what_it_is() -> None:
    """A docstring at the top of each, tests included."""
    silent = [path for path in python_files() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not relative([path for path in silent if path.stat().st_size])


def test_no_file_names_a_path_of_one_machine() -> None:
    """What only works where it was written does not work."""
    assert not relative([path for path in text_files() if MACHINE_PATH.search(path.read_text())])


@pytest.mark.parametrize("sample", ["see /home/me/x", "open('/root/data')", "cd /work/main"])
def test_a_path_of_one_machine_would_be_seen(sample: str) -> None:
    """The pattern finds what it is for."""
    assert MACHINE_PATH.search(sample)


def test_no_file_says_where_packages_come_from() -> None:
    """No index, mirror or registry in lock files, images, build files or documents."""
    assert not relative([path for path in text_files() if REGISTRY.search(path.read_text())])


def test_no_tracked_file_is_large() -> None:
    """Data and weights of size belong elsewhere."""
    assert not relative([path for path in tracked_files() if path.stat().st_size > LARGEST_BYTES])


def test_scripts_can_be_executed() -> None:
    """A file that begins with an interpreter is meant to be run."""
    scripts = [path for path in text_files() if path.read_bytes()[:2] == b"#!"]
    assert REPOSITORY / ".ci" / "run" in scripts
    assert not relative([path for path in scripts if not os.access(path, os.X_OK)])


def test_every_make_command_in_the_documents_exists() -> None:
    """A reader who types what stands there gets what it says."""
    documents = [path for path in tracked_files() if path.suffix == ".md"]
    fenced = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    for path in documents:
        text = path.read_text()
        code = "\n".join([*fenced.findall(text), *re.findall(r"`([^`\n]+)`", text)])
        named = set(re.findall(r"(?:^|[\s;&=])make ([a-z0-9-]+)", code, flags=re.MULTILINE))
        named |= set(re.findall(r"^make ([a-z0-9-]+)", code, flags=re.MULTILINE))
        assert named <= make_targets(), path


def test_every_link_between_documents_leads_somewhere() -> None:
    """Relative links in Markdown name files of the repository."""
    for path in tracked_files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text()):
            assert "://" in target or (path.parent / target).exists(), f"{path.name}: {target}"


def test_help_lists_the_targets_of_the_makefile() -> None:
    """``make help`` is made from the targets' own comments."""
    done = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    shown = set(re.findall(r"^  ([a-z0-9-]+) ", done.stdout, flags=re.MULTILINE))
    assert shown == make_targets()
    assert shown >= {"help", "install", "demo", "test", "lint", "format", "types", "unit", "integration", "e2e"}
    assert shown >= {"bench", "lock", "clean", "servers"}

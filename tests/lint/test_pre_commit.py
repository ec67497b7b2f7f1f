"""The hooks before a commit and ``make lint`` must be the same checks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from tests.support.repository import REPOSITORY, tool


def test_every_hook_is_a_tool_of_the_makefile() -> None:
    """A hook with a version of its own would drift from what CI says."""
    configuration = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    makefile = (REPOSITORY / "Makefile").read_text()
    hooks = [hook for repository in configuration["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in configuration["repos"]} == {"local"}
    for hook in hooks:
        assert hook["language"] == "system"
        assert re.sub(r"^\.venv/bin/|( --force-exclude)", "", hook["entry"]) in makefile


def test_the_configuration_is_valid() -> None:
    """Pre-commit itself accepts it."""
    command = [tool("pre-commit"), "validate-config", ".pre-commit-config.yaml"]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def test_shellcheck_accepts_the_scripts_and_can_refuse(tmp_path: Path) -> None:
    """Every shell script of the repository, and a bad one."""
    folders = (REPOSITORY / "scripts", REPOSITORY / "docker")
    scripts = [REPOSITORY / ".ci" / "run", *(path for folder in folders for path in folder.rglob("*.sh"))]
    assert subprocess.run([tool("shellcheck"), *scripts], capture_output=True, check=False).returncode == 0
    bad = tmp_path / "bad.sh"
    bad.write_text("#!/bin/sh\nrm -rf $1/*\n")
    assert subprocess.run([tool("shellcheck"), bad], capture_output=True, check=False).returncode != 0

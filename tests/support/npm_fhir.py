"""The npm package ``fhir`` as a second opinion on FHIR R4 resources; installed once, by its lock file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

PROJECT: Final = Path(__file__).resolve().parents[1] / "servers" / "fhir-npm"
INSTALL_LIMIT_S: Final = 240
LIMIT_S: Final = 120

Validate = Callable[[Sequence[dict[str, Any]]], list[list[str]]]


@pytest.fixture(scope="session")
def npm_faults(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    """Give a function that tells, for each resource of a list, what is wrong with it."""
    assert shutil.which("npm"), "npm is not installed"
    if not (PROJECT / "node_modules" / "fhir").is_dir():
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=PROJECT, check=True, timeout=INSTALL_LIMIT_S, capture_output=True)
    folder = tmp_path_factory.mktemp("npm-fhir")

    def validate(resources: Sequence[dict[str, Any]]) -> list[list[str]]:
        path = folder / "resources.json"
        path.write_text(json.dumps(list(resources)), encoding="utf-8")
        command = ["node", "validate.js", str(path)]
        answer = subprocess.run(command, cwd=PROJECT, check=True, timeout=LIMIT_S, capture_output=True)
        faults: list[list[str]] = json.loads(answer.stdout)
        return faults

    return validate

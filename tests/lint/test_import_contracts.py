"""Each import contract must break when it is broken: a copy of the packages with one bad module added."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY, tool

PACKAGES = ("inference", "models", "integrations", "dicom_node", "control_api")

BAD = [
    ("Three rings", "inference/domain/sample.py", "import integrations.settings"),
    ("Three rings", "models/sample.py", "import integrations.settings"),
    ("Three rings", "control_api/sample.py", "import dicom_node.spool"),
    ("Inside the core", "inference/domain/sample.py", "import inference.ports"),
    ("The control API never", "control_api/sample.py", "import onnxruntime"),
    ("The control API never", "control_api/sample.py", "import inference.engine"),
    ("The core knows no network", "inference/domain/sample.py", "import httpx"),
    ("No cycles", "dicom_node/sample.py", "import dicom_node.sample_b"),
]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the packages' sources and of the configuration."""
    copy = tmp_path_factory.mktemp("contracts")
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.onnx", "training")
        )
    shutil.copy(REPOSITORY / "setup.cfg", copy)
    return copy


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the copy, and nothing else that may be installed."""
    environment = {"PYTHONPATH": str(folder), "PATH": "", "COLUMNS": "200"}
    command = [tool("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_contracts_hold(packages: Path) -> None:
    """Unchanged, the copy keeps every contract; otherwise a broken one below would prove nothing."""
    done = lint_imports(packages)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(("contract", "name", "statement"), BAD)
def test_a_forbidden_import_breaks_its_contract(packages: Path, contract: str, name: str, statement: str) -> None:
    """The contract is reported as broken, by name."""
    added = {packages / name: statement}
    if "sample_b" in statement:
        added[packages / "dicom_node" / "sample_b.py"] = "import dicom_node.sample"
    try:
        for path, line in added.items():
            path.write_text(f'"""A module."""\n\n{line}\n')
        done = lint_imports(packages)
    finally:
        for path in added:
            path.unlink()
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if line.rstrip().endswith("BROKEN")]
    assert any(line.strip().startswith(contract) for line in broken), done.stdout

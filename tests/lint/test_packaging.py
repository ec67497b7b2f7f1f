"""What is installed without the checkout must hold everything that runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY, tracked_files

PACKAGES = ("inference", "models", "integrations", "dicom_node", "control_api")

NOT_INSTALLED = {"training", "spa"}
"""Folders of the packages that are needed to make a release, not to run one."""

BUILT = {"control_api/spa/dist/index.html", "control_api/spa/dist/assets/index-a1b2.js"}
"""What is built of the app, as far as this is about it; its sources stay out."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build a wheel from a copy of the tracked files, as the images do, and list what is in it."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    for path in tracked_files():
        copy = source / path.relative_to(REPOSITORY)
        if copy.relative_to(source).parts[0] in PACKAGES or copy.parent == source:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    for name in BUILT:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("built", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        source,
    ]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_installed(wheel: set[str]) -> None:
    """Code, models, migrations, pages, the phantom: what is tracked in a package is in the wheel."""
    tracked = {path.relative_to(REPOSITORY) for path in tracked_files()}
    wanted = {path for path in tracked if path.parts[0] in PACKAGES and not NOT_INSTALLED & set(path.parts)}
    assert not {path.as_posix() for path in wanted} - wheel


def test_nothing_else_is_installed(wheel: set[str]) -> None:
    """No tests, no training, no data of the checkout."""
    folders = {Path(name).parts[0] for name in wheel}
    assert folders == {*PACKAGES, *(name for name in folders if name.endswith(".dist-info"))}
    assert not [name for name in wheel - BUILT if NOT_INSTALLED & set(Path(name).parts)]


def test_the_app_is_installed_where_it_was_built(wheel: set[str]) -> None:
    """The embedded node shows it without a checkout."""
    assert wheel >= BUILT


def test_licence_and_credits_travel_along(wheel: set[str]) -> None:
    """Apache-2.0 section 4 wants both with every copy."""
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in wheel if ".dist-info/licenses/" in name}

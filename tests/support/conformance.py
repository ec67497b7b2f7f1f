"""Checkers and readers that nobody here wrote: dicom3tools and dcmqi, from the Python environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_PROGRAMS: Final = Path(sys.executable).parent
_LIMIT_S: Final = 120


def dciodvfy_errors(path: Path) -> list[str]:
    """Check one object against its IOD; not every build tells errors by its exit status, so the lines are read."""
    return _errors("dciodvfy", "-new", str(path))


def dcentvfy_errors(paths: Sequence[Path]) -> list[str]:
    """Check the patient, study and references of several objects against each other.

    The tool compares bytes whatever their character set, so all objects must have the same one.
    """
    return _errors("dcentvfy", *map(str, paths))


def read_seg(path: Path, folder: Path) -> list[Path]:
    """Let dcmqi write the segments of a SEG as one label image; give the image files."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nrrd", "--mergeSegments")
    return sorted(folder.glob("*.nrrd"))


def read_seg_layers(path: Path, folder: Path) -> list[Path]:
    """Let dcmqi write each segment of a SEG as an image of its own; give the files in order of segment number."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nrrd")
    return sorted(folder.glob("*.nrrd"), key=lambda file: int(file.stem.rpartition("-")[2]))


def read_sr(path: Path, folder: Path) -> list[dict[str, Any]]:
    """Let dcmqi read the measurement groups of a TID 1500 SR."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "measurements.json"
    _run("tid1500reader", "--inputDICOM", path, "--outputMetadata", output)
    groups: list[dict[str, Any]] = json.loads(output.read_text())["Measurements"]
    return groups


def read_parametric_map(path: Path, folder: Path) -> Path:
    """Let dcmqi write a Parametric Map as an image; give the file."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("paramap2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nrrd")
    (image,) = folder.glob("*.nrrd")
    return image


def _run(program: str, *arguments: object) -> None:
    done = subprocess.run(
        [str(_PROGRAMS / program), *map(str, arguments)], capture_output=True, timeout=_LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def _errors(program: str, *arguments: str) -> list[str]:
    done = subprocess.run([str(_PROGRAMS / program), *arguments], capture_output=True, timeout=_LIMIT_S, check=False)
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    assert errors or done.returncode == 0, lines
    return errors

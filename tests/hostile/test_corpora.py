"""Every malformed file that we have: taken in, read and sent over C-STORE, without a crash, a hang or an escape.

The files lie beside the project; bombs are made here. What each ends in matters less than that it ends, by name.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage

from dicom_node.folder_scan import scan
from inference.errors import ReasonCode
from tests.support.arrivals import small_bytes, small_instance
from tests.support.bombs import write_bombs
from tests.support.raw_scu import raw_scu
from tests.support.read_corpus import announced
from tests.support.receiving import receiving
from tests.support.shared_data import SHARED, needs_shared

LONGEST_S: Final = 5.0
MOST_MB: Final = 512.0
CODES: Final = {code.value for code in ReasonCode} | {"receive.unreadable", "receive.sop_class_mismatch", "analysed"}


def corpus() -> list[Path]:
    """List the files of the corpora, and the odd ones among the data."""
    folders = SHARED / "badinputs", SHARED / "data" / "odd-small-pydicom"
    text = {".md", ".txt", ".json"}
    return sorted(
        path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix not in text
    )


def went_through(paths: Sequence[Path], root: Path) -> Iterator[dict[str, Any]]:
    """Take in and read files in a process of their own, each alone in a folder; give what it says of each."""
    alone = []
    for number, path in enumerate(paths):
        folder = root / "in" / f"{number:04d}"
        folder.mkdir(parents=True)
        alone.append(folder / "file")
        shutil.copyfile(path, alone[-1])
    node = root / "a" / "b" / "node"
    node.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.read_corpus", str(node)],
        input="".join(f"{path}\n" for path in alone),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=270,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"it ended after {len(said)} files: {done.stderr[-2000:]}"
    assert len(said) == len(paths)
    outside = [path for path in (root / "a").rglob("*") if path.is_file() and (node / "spool") not in path.parents]
    assert outside == []
    for path, one in zip(paths, said, strict=True):
        yield one | {"file": path.name}


def check(said: Sequence[dict[str, Any]]) -> None:
    """Nothing raised, nothing slow, nothing large, and every refusal has a name."""
    assert [one for one in said if "raised" in one["ingest"] + one["read"]] == []
    assert [one for one in said if one["seconds"] > LONGEST_S] == []
    assert said[-1]["largest_mb"] < MOST_MB
    assert {one["ingest"] for one in said} <= CODES
    ends = {one["read"] for one in said if not one["read"].startswith(("decoded", "skipped"))}
    assert ends <= CODES


@needs_shared
def test_every_malformed_file_ends_by_name(tmp_path: Path) -> None:
    """The whole corpus, through the ingest and the reader; some of it is harmless and can be read."""
    said = list(went_through(corpus(), tmp_path))
    check(said)
    assert len(said) > 400
    assert sum(one["read"].startswith("decoded") for one in said) > 100
    assert sum(one["ingest"] == "receive.unreadable" for one in said) > 20


def test_bombs_cost_little_and_end_by_name(tmp_path: Path) -> None:
    """What asks for gigabytes is refused for what it says, or for what it turns out to be."""
    said = list(went_through(write_bombs(tmp_path), tmp_path))
    check(said)
    read = {one["file"]: one["read"].rpartition(", then ")[2] for one in said}
    assert read == {
        "deflated": ReasonCode.TOO_FEW_SLICES,
        "run_length": ReasonCode.PIXEL_TOO_LARGE,
        "jpeg_2000": ReasonCode.PIXEL_CORRUPT,
        "jpeg": ReasonCode.PIXEL_TOO_LARGE,
        "jpeg_ls": ReasonCode.PIXEL_CORRUPT,
        "frames": ReasonCode.PIXEL_CORRUPT,
        "nesting": ReasonCode.TOO_FEW_SLICES,
        "length": ReasonCode.PIXEL_CORRUPT,
        "multiplicity": ReasonCode.GEOMETRY_MISSING,
    }


@needs_shared
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_malformed_file_over_the_wire_is_answered_and_disturbs_nobody(tmp_path: Path) -> None:
    """Success or the right failure, nothing outside the spool, and the next good object is taken."""
    good = str(small_instance().SOPInstanceUID)
    with receiving(tmp_path / "a" / "b" / "spool") as node:
        for path in corpus():
            start, syntax = announced(path)
            data_set = path.read_bytes()[start:] or b"\0"  # a message without a data set is another matter
            with raw_scu(node.port, syntaxes=[syntax]) as scu:
                response = scu.store(data_set, MRImageStorage, _sop_instance(path), syntax)
                assert response is not None, path.name
                assert response.Status == 0 or response.Status & 0xF000 in {0xA000, 0xC000}, path.name
        with raw_scu(node.port) as scu:
            assert scu.store(small_bytes(), MRImageStorage, good).Status == 0
        files = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert files == set(node.files())
        assert {file.reason for file in scan(node.root).skipped} <= {"the same instance as another file"}


def _sop_instance(path: Path) -> str:
    """Give the identifier under which a sender would announce a file."""
    try:
        data_set = dcmread(path, stop_before_pixels=True, force=True, specific_tags=["SOPInstanceUID"])
        return str(data_set.get("SOPInstanceUID") or "1.2.3")[:64]
    except Exception:  # noqa: BLE001 - a sender would not know either
        return "1.2.3"

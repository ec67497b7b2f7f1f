"""The viewer's package is held to its digest, moved to a path, mended, or refused as a whole."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.repository import REPOSITORY

SCRIPT = REPOSITORY / "docker" / "ohif" / "prepare_ohif.py"
BASE = "/reading/viewer/"


@pytest.fixture(scope="module")
def ohif() -> ModuleType:
    """Load the script as a module."""
    spec = spec_from_file_location("prepare_ohif", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FILES = {
    "package/LICENSE": "MIT",
    "package/src/index.js": "source",
    "package/dist/index.html": '<script>window.PUBLIC_URL="/"</script><link href="/app.bundle.css">'
    '<script defer src="/init-service-worker.js"></script><script src="/app.bundle.1.js"></script>',
    "package/dist/app.bundle.css": "@font-face{src:url(/a.woff2)} a{b:url(//elsewhere)} " + "/* */" * 300,
    "package/dist/app.bundle.1.js.map": "{}",
    "package/dist/ort/runtime.wasm": "large",
    "package/dist/app-config.js": "window.config = example",
    "package/dist/manifest.json": json.dumps({"icons": [{"src": "/assets/icon.png"}]}),
    "package/dist/assets/icon.png": "icon",
}
MENDED = (
    "if (!(totalBytes !== length)) { bitValue = sourceByte >> 7 - sourceBitIndex & 1;"
    " frameView[targetByteIndex] |= 1 << 7 - targetBitIndex; allPixelData = stream.readArrayBuffer(totalBytes);"
    " rowCosines, rowPixelSpacing * (imageCoords[0] - 0.5);"
    " columnCosines, columnPixelSpacing * (imageCoords[1] - 0.5);"
)
PROGRAM = "__webpack_require__.p = \"/\"; browserImportFunction('/dicom-microscopy-viewer/x'); " + MENDED
WORKER = '__webpack_require__.p = "/";'


def pack(path: Path, **changed: str) -> Path:
    """Write a package as small as can be; names are given as keywords: ``program``, ``worker``."""
    files = {
        **FILES,
        "package/dist/app.bundle.1.js": changed.get("program", PROGRAM),
        "package/dist/136.bundle.2.js": changed.get("worker", WORKER),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def made(ohif: Any, tmp_path: Path) -> Path:
    """Make the viewer of the small package."""
    ohif.prepare(pack(tmp_path / "package.tgz"), tmp_path / "viewer", BASE)
    return tmp_path / "viewer"


def test_only_what_is_needed_is_unpacked(made: Path) -> None:
    """No sources, maps, service worker or runtime for models; the licence travels along."""
    names = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert names == {
        "LICENSE.txt", "index.html", "app.bundle.css", "app.bundle.css.gz", "app.bundle.1.js", "136.bundle.2.js",
        "manifest.json", "assets/icon.png", "app-config.js", "app-config.js.gz",
    }  # fmt: skip


def test_everything_is_moved_to_the_path(made: Path) -> None:
    """Links, programs, workers, fonts, icons and our own configuration; addresses of other hosts stay."""
    page = (made / "index.html").read_text()
    assert page == (
        f'<script>window.PUBLIC_URL="{BASE}"</script><link href="{BASE}app.bundle.css">'
        f'<script src="{BASE}app.bundle.1.js"></script>'
    )
    for program in ("app.bundle.1.js", "136.bundle.2.js"):
        assert f'__webpack_require__.p = "{BASE}";' in (made / program).read_text()
    assert f"browserImportFunction('{BASE}dicom-microscopy-viewer/x')" in (made / "app.bundle.1.js").read_text()
    assert f"url({BASE}a.woff2)" in (made / "app.bundle.css").read_text()
    assert "url(//elsewhere)" in (made / "app.bundle.css").read_text()
    assert json.loads((made / "manifest.json").read_text())["icons"][0]["src"] == f"{BASE}assets/icon.png"
    assert "routerBasename: '/reading/viewer'" in (made / "app-config.js").read_text()


def test_what_is_drawn_wrongly_is_mended(made: Path) -> None:
    """Bits in the order of the standard, the end of all frames, row and column spacing where they belong."""
    program = (made / "app.bundle.1.js").read_text()
    assert "totalBytes + totalBytes % 2 !== length" in program
    assert "sourceByte >> sourceBitIndex & 1;" in program
    assert "|= 1 << targetBitIndex;" in program
    assert "stream.readArrayBuffer(length);" in program
    assert "rowCosines, columnPixelSpacing * (imageCoords[0] - 0.5)" in program
    assert "columnCosines, rowPixelSpacing * (imageCoords[1] - 0.5)" in program


def test_compressed_files_are_the_same_every_time(made: Path) -> None:
    """And hold what they stand for."""
    twin = made / "app.bundle.css.gz"
    assert gzip.decompress(twin.read_bytes()) == (made / "app.bundle.css").read_bytes()
    assert twin.read_bytes() == gzip.compress((made / "app.bundle.css").read_bytes(), mtime=0)


@pytest.mark.parametrize(
    "changed",
    [
        {"program": PROGRAM.replace("rowCosines, rowPixelSpacing", "rowCosines, mended")},
        {"program": MENDED, "worker": ""},
        {"program": PROGRAM.replace("browserImportFunction", "imported")},
    ],
    ids=["a fault that is gone", "no public path", "another way to import"],
)
def test_another_build_is_refused_and_the_old_one_stays(
    ohif: Any, tmp_path: Path, made: Path, changed: dict[str, str]
) -> None:
    """A viewer that is half moved or half mended is worse than none."""
    before = (made / "app.bundle.1.js").read_bytes()
    with pytest.raises(ohif.PreparationError):
        ohif.prepare(pack(tmp_path / "other.tgz", **changed), made, BASE)
    assert (made / "app.bundle.1.js").read_bytes() == before


def test_the_package_is_held_to_its_digest(ohif: Any, tmp_path: Path) -> None:
    """SHA-512 as npm's lock files write it."""
    package = pack(tmp_path / "package.tgz")
    ohif.check(package, base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode())
    with pytest.raises(ohif.PreparationError, match=r"package\.tgz has the digest"):
        ohif.check(package)


def test_the_command_refuses_a_package_that_is_not_the_pinned_one(tmp_path: Path) -> None:
    """Nothing is written of it."""
    package = pack(tmp_path / "package.tgz")
    command = [sys.executable, SCRIPT, tmp_path / "viewer", "--package", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "has the digest" in done.stderr
    assert not (tmp_path / "viewer").exists()


@pytest.mark.parametrize("base", ["pacs-viewer", "/pacs-viewer", "/", '/"><script>/'])
def test_the_command_wants_a_path_with_a_slash_at_both_ends(tmp_path: Path, base: str) -> None:
    """It is written into programs."""
    command = [sys.executable, SCRIPT, tmp_path / "viewer", "--base", base, "--package", tmp_path / "none.tgz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "slash at both ends" in done.stderr

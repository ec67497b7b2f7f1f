#!/usr/bin/env python3
"""Make the OHIF viewer from its pinned npm package: served under a path, and drawing our results right.

The package holds a build for the root of a host. It is unpacked without what is not needed, moved to a path, mended
where it is known to draw wrongly (docs/viewers.md), given our ``app-config.js``, and compressed once and for all.
Whatever is to be replaced must be there: another version fails here and not in front of a radiologist.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

PACKAGE: Final = "@ohif/app@3.13.2"
INTEGRITY: Final = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""SHA-512 of the package's file, base64, as lock files of npm write it."""

BUILD: Final = PurePosixPath("package/dist")

NOT_NEEDED: Final = (
    "ort", "customizations", "google.js", "silent-refresh.html", "sw.js", "init-service-worker.js", "_headers",
    "_redirects", "serve.json", "oidc-client.min.js", "es6-shim.min.js", "polyfill.min.js", "app-config.js",
)  # fmt: skip
"""A runtime for models in the browser, a service worker, logins and hosts that are not ours, an example."""

COMPRESSED: Final = frozenset({".js", ".css", ".html", ".json", ".svg", ".wasm"})


class PreparationError(Exception):
    """The package is not the one that this was written for."""


@dataclass(frozen=True)
class Change:
    """A text that is replaced.

    Parameters
    ----------
    files
        Pattern of the names of the files it is replaced in.
    old
        Regular expression.
    new
        What takes its place; ``{base}`` stands for the path.
    only_where_found
        Whether files without it are passed over; it must be in at least one of them all the same.
    """

    files: str
    old: str
    new: str
    only_where_found: bool = False


MOVES: Final = (
    # Every web worker has a public path of its own.
    Change("*.js", r'__webpack_require__\.p = "/";', '__webpack_require__.p = "{base}";', only_where_found=True),
    Change("app.bundle.*.js", r"browserImportFunction\('/dicom-", r"browserImportFunction('{base}dicom-"),
    Change("*.css", r"url\(/(?!/)", "url({base}", only_where_found=True),
    Change("index.html", r'window\.PUBLIC_URL="/"', 'window.PUBLIC_URL="{base}"'),
    Change("index.html", r'<script[^>]*src="/init-service-worker\.js"></script>', ""),
    Change("index.html", r'(src|href|content)="/(?!/)', r'\1="{base}'),
    Change("manifest.json", r'"src": "/', '"src": "{base}'),
)


def _mend(old: str, new: str) -> Change:
    """Replace a text of the program where it is, which is once in the page's and once in a worker's bundle."""
    return Change("*.js", re.escape(old), new.replace("\\", r"\\"), only_where_found=True)


MENDS: Final = (
    # Frames of 1 bit that do not end on a byte: PS3.5 section 8.1.1 packs bits across frames, low bit first.
    _mend(
        "if (!(totalBytes !== length)) {",
        "if (!(totalBytes !== length && totalBytes + totalBytes % 2 !== length)) {",
    ),
    _mend("bitValue = sourceByte >> 7 - sourceBitIndex & 1;", "bitValue = sourceByte >> sourceBitIndex & 1;"),
    _mend(
        "frameView[targetByteIndex] |= 1 << 7 - targetBitIndex;", "frameView[targetByteIndex] |= 1 << targetBitIndex;"
    ),
    _mend("allPixelData = stream.readArrayBuffer(totalBytes);", "allPixelData = stream.readArrayBuffer(length);"),
    # Image coordinates on pixels that are not square: along a row go columns (PS3.3 section C.7.6.2.1.1).
    _mend(
        "rowCosines, rowPixelSpacing * (imageCoords[0] - 0.5)",
        "rowCosines, columnPixelSpacing * (imageCoords[0] - 0.5)",
    ),
    _mend(
        "columnCosines, columnPixelSpacing * (imageCoords[1] - 0.5)",
        "columnCosines, rowPixelSpacing * (imageCoords[1] - 0.5)",
    ),
)


def fetch(folder: Path) -> Path:
    """Get the package by npm, without what it depends on, and give its file.

    Raises
    ------
    subprocess.CalledProcessError
        If npm cannot.
    """
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - nothing of a user's
    return folder / done.stdout.split()[-1]


def check(package: Path, integrity: str = INTEGRITY) -> None:
    """Hold the package to its digest.

    Raises
    ------
    PreparationError
        If it is another.
    """
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != integrity:
        raise PreparationError(f"{package.name} has the digest sha512-{found}, not sha512-{integrity}")


def unpack(package: Path, folder: Path) -> None:
    """Unpack what is needed, and the licence."""
    with tarfile.open(package) as archive:
        for name, member in _needed(archive):
            content = archive.extractfile(member)
            if content is None:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)


def _needed(archive: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo]]:
    for member in archive:
        path = PurePosixPath(member.name)
        if path == PurePosixPath("package/LICENSE"):
            yield PurePosixPath("LICENSE.txt"), member
        elif member.isfile() and path.is_relative_to(BUILD) and ".." not in path.parts:
            name = path.relative_to(BUILD)
            if name.parts[0] not in NOT_NEEDED and name.suffix != ".map":
                yield name, member


def change(folder: Path, changes: Sequence[Change], base: str) -> None:
    """Replace texts.

    Parameters
    ----------
    folder
        The unpacked build.
    changes
        Which.
    base
        Path that it is served under, with a slash at both ends.

    Raises
    ------
    PreparationError
        If one of them is not there.
    """
    for one in changes:
        found = [_replace(path, one, base) for path in sorted(folder.glob(one.files))]
        if not any(found) or not (all(found) or one.only_where_found):
            raise PreparationError(f"{one.files}: {one.old} was not found")


def _replace(path: Path, one: Change, base: str) -> int:
    text, count = re.subn(one.old, one.new.replace("{base}", base), path.read_text(encoding="utf-8"))
    if count:
        path.write_text(text, encoding="utf-8")
    return count


def compress(folder: Path) -> None:
    """Lay a compressed twin beside each file that becomes smaller by it (nginx: ``gzip_static``)."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in COMPRESSED and path.stat().st_size > 1024:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))


def prepare(package: Path, folder: Path, base: str) -> None:
    """Make the viewer; what was in the folder is replaced when all went well.

    Parameters
    ----------
    package
        The npm package's file.
    folder
        Where it goes.
    base
        Path that it is served under, with a slash at both ends.

    Raises
    ------
    PreparationError
        If the package lacks something that has to be replaced.
    """
    made = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    unpack(package, made)
    change(made, (*MOVES, *MENDS), base)
    configuration = Path(__file__).with_name("app-config.js").read_text(encoding="utf-8")
    (made / "app-config.js").write_text(configuration.replace("/pacs-viewer", base.rstrip("/")), encoding="utf-8")
    compress(made)
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)


def main(arguments: Sequence[str]) -> None:
    """Make the viewer as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the viewer goes")
    parser.add_argument("--base", default="/pacs-viewer/", help="path that it is served under")
    parser.add_argument("--package", type=Path, help="the npm package's file; fetched by npm where it is not given")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"/([\w-]+/)+", given.base):
        parser.error("the path needs a slash at both ends")
    with tempfile.TemporaryDirectory() as scratch:
        package = given.package or fetch(Path(scratch))
        check(package)
        given.folder.parent.mkdir(parents=True, exist_ok=True)
        prepare(package, given.folder, given.base)


if __name__ == "__main__":
    main(sys.argv[1:])

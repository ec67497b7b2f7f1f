"""Archives from anywhere: what is a package is copied as it is, anything else leaves nothing behind outside."""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.errors import ModelContractViolated
from models.package_files import PackageLimits, copy_package
from tests.support.package_folders import as_tar, as_zip, write_package

Pack = Callable[[Path, Path], Path]

PACKS: dict[str, Pack] = {
    "folder": lambda package, _: package,
    "zip": lambda package, folder: as_zip(package, folder / "package.zip"),
    "zip with a top": lambda package, folder: as_zip(package, folder / "package.zip", "bright-1.0.0/"),
    "tar": lambda package, folder: as_tar(package, folder / "package.tar"),
    "tar.gz with a top": lambda package, folder: as_tar(package, folder / "package.tar.gz", "bright-1.0.0"),
    "tgz": lambda package, folder: as_tar(package, folder / "package.tgz"),
    "tar.xz": lambda package, folder: as_tar(package, folder / "package.tar.xz"),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Give a package with a file in a folder of its own."""
    folder = write_package(tmp_path / "bright")
    (folder / "golden").mkdir()
    (folder / "golden" / "golden.json").write_text("{}")
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Give an empty folder."""
    folder = tmp_path / "store" / "incoming"
    folder.mkdir(parents=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Give every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_a_package_is_copied_byte_for_byte(package: Path, into: Path, tmp_path: Path, pack: Pack) -> None:
    """Whatever it came in, and whether or not the archive has a folder around it."""
    wanted = contents(package)

    copied = copy_package(pack(package, tmp_path), into)

    assert contents(copied) == wanted
    assert set(wanted) == {"manifest.toml", "model.onnx", "MODEL_CARD.md", "golden/golden.json"}


def test_what_a_mac_adds_is_left_out(package: Path, into: Path, tmp_path: Path) -> None:
    """Archives made there have a second top folder, which would hide the first."""
    (package / ".DS_Store").write_text("x")
    archive = as_zip(package, tmp_path / "package.zip", "bright/")
    with zipfile.ZipFile(archive, "a") as mac:
        mac.writestr("__MACOSX/bright/._manifest.toml", "x")

    assert ".DS_Store" not in contents(copy_package(archive, into))


NAMES = ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:evil", "good/../../../evil"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, into: Path, kind: str, name: str) -> None:
    """Nothing is written outside the folder, wherever an archive points."""
    path = tmp_path / f"evil.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"evil")
    else:
        with tarfile.open(path, "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"evil"))
    before = set(tmp_path.rglob("*"))

    with pytest.raises(ModelContractViolated, match="no path inside"):
        copy_package(path, into)

    assert set(tmp_path.rglob("*")) == before
    assert not Path("/etc/evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_of_links_or_devices_is_refused(tmp_path: Path, into: Path, kind: bytes) -> None:
    """A link would let a later file of the archive land anywhere."""
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, "/etc"
        tar.addfile(entry)

    with pytest.raises(ModelContractViolated, match="plain files"):
        copy_package(path, into)
    assert list(into.iterdir()) == []


def test_a_zip_of_links_is_refused(tmp_path: Path, into: Path) -> None:
    """A zip archive says so in the Unix mode of an entry."""
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")

    with pytest.raises(ModelContractViolated, match="plain files"):
        copy_package(path, into)


@pytest.mark.parametrize("what", ["file link", "folder link", "pipe"])
def test_a_folder_of_links_is_refused(package: Path, into: Path, what: str) -> None:
    """A copy would not be what somebody looked at."""
    if what == "pipe":
        os.mkfifo(package / "pipe")
    else:
        (package / "link").symlink_to("/etc/hostname" if what == "file link" else "/etc")

    with pytest.raises(ModelContractViolated, match="plain files"):
        copy_package(package, into)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused_before_it_goes_off(package: Path, into: Path, tmp_path: Path, kind: str) -> None:
    """A small archive of much nothing is stopped at the limit, by what is written and not by what it says."""
    (package / "weights.bin").write_bytes(b"\0" * 5_000_000)
    path = tmp_path / f"bomb.{kind}"
    archive = as_zip(package, path) if kind == "zip" else as_tar(package, path)
    assert archive.stat().st_size < 50_000

    with pytest.raises(ModelContractViolated, match="larger"):
        copy_package(archive, into, PackageLimits(size_bytes=1_000_000))

    assert sum(file.stat().st_size for file in into.rglob("*")) < 1_100_000


def test_too_many_files_are_refused(package: Path, into: Path) -> None:
    """However small they are."""
    with pytest.raises(ModelContractViolated, match="more than 3 files"):
        copy_package(package, into, PackageLimits(files=3))


def test_a_name_that_comes_twice_is_refused(tmp_path: Path, into: Path) -> None:
    """Nobody could say which of the two counts."""
    path = tmp_path / "twice.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("manifest.toml", "./manifest.toml"):
            tar.addfile(tarfile.TarInfo(name))

    with pytest.raises(ModelContractViolated, match="twice"):
        copy_package(path, into)


def damaged(package: Path, folder: Path) -> Path:
    """Cut a compressed archive short."""
    path = as_tar(package, folder / "cut.tar.gz")
    path.write_bytes(path.read_bytes()[:-40])
    return path


def wrong_crc(package: Path, folder: Path) -> Path:
    """Change a byte of a stored file in a zip archive."""
    path = folder / "crc.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(package / "manifest.toml", "manifest.toml")
    path.write_bytes(path.read_bytes().replace(b"schema_version", b"SCHEMA_version"))
    return path


def no_manifest(package: Path, _: Path) -> Path:
    """Give a folder that is no package."""
    (package / "manifest.toml").unlink()
    return package


def text(_: Path, folder: Path) -> Path:
    """Give a file that is no archive."""
    path = folder / "notes.txt"
    path.write_text("model")
    return path


@pytest.mark.parametrize("make", [damaged, wrong_crc, no_manifest, text])
def test_what_is_no_package_is_said_so(package: Path, into: Path, tmp_path: Path, make: Pack) -> None:
    """One error of ours, whatever the library raised."""
    with pytest.raises(ModelContractViolated):
        copy_package(make(package, tmp_path), into)


def endless(path: Path, kind: bytes, name: str) -> Path:
    """Write a small archive whose first entry of some kind has 64 MiB of nothing."""
    size = 64 << 20
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    with gzip.open(path, "wb") as archive:
        archive.write(entry.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            archive.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, b"Z"])
def test_a_header_without_end_is_not_read_into_memory(tmp_path: Path, into: Path, kind: bytes) -> None:
    """Names and attributes are held in memory by the library, whatever their length."""
    bomb = endless(tmp_path / "bomb.tgz", kind, "x")
    tracemalloc.start()

    with pytest.raises(ModelContractViolated):
        copy_package(bomb, into)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20


def test_a_sparse_file_is_refused(tmp_path: Path, into: Path) -> None:
    """Its map may have any length."""
    entry = tarfile.TarInfo("GNUSparseFile.0/weights.bin")
    entry.size = 512
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "weights.bin"}
    with tarfile.open(tmp_path / "sparse.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(b"1\n" * 256))

    with pytest.raises(ModelContractViolated, match=r"cannot be read|neither"):
        copy_package(tmp_path / "sparse.tar", into)


def test_what_is_left_out_counts_too(tmp_path: Path, into: Path) -> None:
    """A compressed stream has to be read through to come past it."""
    bomb = endless(tmp_path / "bomb.tgz", tarfile.REGTYPE, "__MACOSX/nothing")

    with pytest.raises(ModelContractViolated, match="larger"):
        copy_package(bomb, into, PackageLimits(size_bytes=1 << 20))


def test_a_list_of_files_without_end_is_not_read_into_memory(package: Path, into: Path, tmp_path: Path) -> None:
    """The library holds it all before it gives the first name."""
    archive = as_zip(package, tmp_path / "package.zip")
    content = bytearray(archive.read_bytes())
    struct.pack_into("<L", content, content.rfind(b"PK\x05\x06") + 12, 1 << 30)
    archive.write_bytes(bytes(content))

    with pytest.raises(ModelContractViolated, match="cannot be read"):
        copy_package(archive, into)


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.bz2", "tar", "zip"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_an_archive_that_was_cut_off_is_refused(
    package: Path, into: Path, tmp_path: Path, suffix: str, part: float
) -> None:
    """A half package must never look like a whole one."""
    (package / "weights.bin").write_bytes(random.Random(1).randbytes(200_000))
    path = tmp_path / f"package.{suffix}"
    archive = as_zip(package, path) if suffix == "zip" else as_tar(package, path)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * part)])

    with pytest.raises(ModelContractViolated):
        copy_package(archive, into)

"""The node's own folders answer as an archive does, follow what changes, and are cheap to ask."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from integrations.local_archive import index as index_module
from integrations.local_archive.entries import Entry, read_entry
from integrations.local_archive.index import FolderIndex
from integrations.local_archive.server import FolderServer
from integrations.upstream.exchange import Answer, Call
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

SHAPE = (3, 4, 6)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE) + 256
J2K, JPEG_LS, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""A time at which every folder has been at rest for long."""


class Archive:
    """A spool and a folder of results, and the server over both."""

    def __init__(self, folder: Path, clock: FixedClock) -> None:
        self.spool, self.results = folder / "spool", folder / "archive"
        self.index = FolderIndex([self.spool, self.results], clock, "ISO_IR 100")
        self.server = FolderServer(self.index, CountingUIDSource())

    def add(
        self, seed: int, header: dict[str, Any] | None = None, root: Path | None = None, **options: Any
    ) -> list[Path]:
        """Write a series of three slices."""
        folder = (root or self.spool) / f"study-{seed}" / f"series-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        return write_series(folder, PIXELS, axial_grid(SHAPE), SeriesOptions(seed, header or {}, **options))

    def send(self, path: str, query: str = "", accept: str = "", method: str = "GET") -> Answer:
        """Ask."""
        return self.server.send(Call(method, path, query, {"Accept": accept}, None, "https://node/dicom-web"))

    def rows(self, path: str, query: str = "") -> list[dict[str, Any]]:
        """Give the JSON that is answered."""
        answer = self.send(path, query)
        assert (answer.status, answer.header("content-type")) == (200, "application/dicom+json")
        listed: list[dict[str, Any]] = json.loads(b"".join(answer.chunks))
        return listed

    def parts(self, path: str) -> list[tuple[str, bytes]]:
        """Give content type and content of each part of an answer, read by Python's own parser."""
        answer = self.send(path)
        assert answer.status == 200, b"".join(answer.chunks)
        head = f"Content-Type: {answer.header('content-type')}\r\n\r\n".encode()
        return _parts(head + b"".join(answer.chunks))


def _parts(content: bytes) -> list[tuple[str, bytes]]:
    boundary = message_from_bytes(content.split(b"\r\n\r\n")[0] + b"\r\n\r\n").get_boundary() or ""
    pieces = content.split(f"--{boundary}".encode())[1:-1]
    found = []
    for piece in pieces:
        head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        found.append((head.decode().removeprefix("Content-Type: "), body.removesuffix(b"\r\n")))
    return found


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Give an archive that is empty, in which every folder is at rest."""
    return Archive(tmp_path, FixedClock(LATER))


def path_of(files: Sequence[Path], *more: str) -> str:
    """Give the address of the first instance of a series, or what is below it."""
    one = dcmread(files[0])
    address = f"/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
    return "/".join([address, *more])


def study_of(files: Sequence[Path]) -> str:
    """Give the Study Instance UID of a series."""
    return str(dcmread(files[0]).StudyInstanceUID)


def uids(rows: Sequence[dict[str, Any]], tag: str = "0020000D") -> list[str]:
    """Give one identifier of each row."""
    return [row[tag]["Value"][0] for row in rows]


# --- search ---------------------------------------------------------------------------------------------------------


def test_an_archive_without_folders_is_empty(archive: Archive) -> None:
    """A node on which nothing has arrived yet."""
    assert archive.rows("/studies") == []
    assert archive.send("/studies/1.2.3").status == 404


def test_a_study_is_found_with_what_is_known_of_it(archive: Archive) -> None:
    """Attributes of the study, its modalities and how much there is; results in another folder belong to it."""
    files = archive.add(1, {"PatientName": "Kim^A", "PatientID": "P-1", "StudyDate": "20260102"})
    result = dcmread(files[0])
    result.SeriesInstanceUID, result.SOPInstanceUID, result.Modality = "1.2.77", "1.2.78", "SEG"
    result.file_meta.MediaStorageSOPInstanceUID = "1.2.78"
    (archive.results / "a" / "b").mkdir(parents=True)
    result.save_as(archive.results / "a" / "b" / "x.dcm")
    (row,) = archive.rows("/studies")
    assert row["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Kim^A"}]}
    assert row["00080061"]["Value"] == ["MR", "SEG"]
    assert (row["00201206"]["Value"], row["00201208"]["Value"]) == ([2], [4])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [2, 1]),
        ("limit=1", [2]),
        ("limit=1&offset=1", [1]),
        ("PatientID=P-1", [1]),
        ("00100020=P-1", [1]),
        ("PatientID=P", []),
        ("PatientID=P*", [2, 1]),
        ("PatientName=kim*", [1]),
        ("PatientName=*GILDONG*", [2]),
        ("PatientName=Kim.A", []),
        ("PatientName=Kim%5E?", [1]),
        ("StudyDate=20260102", [1]),
        ("StudyDate=20260102-20260203", [2, 1]),
        ("StudyDate=20260103-", [2]),
        ("StudyDate=-20260103", [1]),
        ("ModalitiesInStudy=MR", [2, 1]),
        ("ModalitiesInStudy=CT", []),
        ("AccessionNumber=7", []),
        ("includefield=00081030,00080060&fuzzymatching=false&PatientID=", [2, 1]),
    ],
)
def test_studies_are_matched(archive: Archive, query: str, found: list[int]) -> None:
    """By value, list, range and wildcard, newest first."""
    files = {
        1: archive.add(1, {"PatientName": "Kim^A", "PatientID": "P-1", "StudyDate": "20260102"}),
        2: archive.add(2, {"PatientName": "Hong^Gildong", "PatientID": "P-2", "StudyDate": "20260203"}),
    }
    assert uids(archive.rows("/studies", query)) == [study_of(files[number]) for number in found]


def test_studies_are_matched_by_a_list_of_uids(archive: Archive) -> None:
    """With commas or backslashes."""
    one, two, _ = (study_of(archive.add(seed)) for seed in (1, 2, 3))
    for separator in (",", "%5C"):
        assert {*uids(archive.rows("/studies", f"StudyInstanceUID={one}{separator}{two}"))} == {one, two}


@pytest.mark.parametrize("query", ["NoSuchAttribute=1", "limit=x", "offset=1.5"])
def test_a_search_that_is_none_is_refused(archive: Archive, query: str) -> None:
    """400, and no exception."""
    assert archive.send("/studies", query).status == 400


def test_series_and_instances_are_found_below_their_study(archive: Archive) -> None:
    """In order of their numbers; and everywhere where no study is named."""
    files, _ = archive.add(1), archive.add(2)
    study = study_of(files)
    (series,) = archive.rows(f"/studies/{study}/series")
    assert series["00201209"]["Value"] == [3]
    found = archive.rows(f"/studies/{study}/series/{series['0020000E']['Value'][0]}/instances")
    assert uids(found, "00080018") == [str(dcmread(path).SOPInstanceUID) for path in files]
    assert len(archive.rows(f"/studies/{study}/instances")) == 3
    assert (len(archive.rows("/series")), len(archive.rows("/instances"))) == (2, 6)
    assert archive.rows("/studies/1.2.3/series") == []


# --- retrieval ------------------------------------------------------------------------------------------------------


def test_metadata_are_the_header_with_addresses_for_what_is_large(archive: Archive) -> None:
    """As pydicom reads it; text is UTF-8 and says so."""

    def edit(data_set: Dataset, _index: int) -> None:
        data_set.SpecificCharacterSet = "ISO 2022 IR 149"
        data_set.PatientName = "홍^길동"
        data_set.add_new(0x00091001, "OB", b"x" * 2000)
        data_set.add_new(0x00091002, "OB", b"small!")
        data_set.add_new(0x00191001, "FD", float("nan"))

    files = archive.add(1, edit=edit)
    (header,) = archive.rows(path_of(files, "metadata"))
    base = f"https://node/dicom-web{path_of(files)}/bulk"
    assert header["00100010"]["Value"] == [{"Alphabetic": "홍^길동"}]
    assert header["00080005"]["Value"] == ["ISO_IR 192"]
    assert header["00091001"] == {"vr": "OB", "BulkDataURI": f"{base}/00091001"}
    assert "InlineBinary" in header["00091002"]
    assert header["00191001"]["Value"] == [None]
    assert header["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{base}/7FE00010"}
    assert header["00280010"]["Value"] == [SHAPE[1]]
    assert len(archive.rows(path_of(files, "metadata").split("/instances")[0] + "/metadata")) == 3


def test_whole_instances_are_their_files(archive: Archive) -> None:
    """Byte for byte, of one instance, a series or a study."""
    files = archive.add(1)
    instance = path_of(files)
    series, study = instance.split("/instances")[0], instance.split("/series")[0]
    kind = "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert archive.parts(instance) == [(kind, files[0].read_bytes())]
    for address in (series, study):
        assert {content for _, content in archive.parts(address)} == {path.read_bytes() for path in files}


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_frames_are_little_endian_pixels(archive: Archive, syntax: str) -> None:
    """However the file has them."""
    files = archive.add(1, transfer_syntax_uid=syntax)
    ((kind, content),) = archive.parts(path_of(files, "frames", "1"))
    assert kind == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert np.array_equal(np.frombuffer(content, "<u2").reshape(SHAPE[1:]), PIXELS[0])


@pytest.mark.parametrize(("syntax", "kind"), [(J2K, "image/jp2"), (JPEG_LS, "image/jls"), (RLE, "image/dicom-rle")])
def test_compressed_frames_are_codestreams(archive: Archive, syntax: str, kind: str) -> None:
    """As they are, under the name of their kind: the viewer decodes them itself."""
    files = archive.add(1, transfer_syntax_uid=syntax)
    ((found, content),) = archive.parts(path_of(files, "frames", "1"))
    assert found == f"{kind}; transfer-syntax={syntax}"
    again = dcmread(files[0])
    assert content.rstrip(b"\0") in again.PixelData
    assert len(content) > 10


def test_frames_that_are_not_there_are_refused(archive: Archive) -> None:
    """Of a number too high, and of a file that is cut."""
    files = archive.add(1)
    assert archive.send(path_of(files, "frames", "2")).status == 406
    files[0].write_bytes(files[0].read_bytes()[:-10])
    assert archive.send(path_of(files, "frames", "1")).status == 406


def test_bulk_data_are_given_by_their_address(archive: Archive) -> None:
    """In one part or bare, as it is asked for."""

    def edit(data_set: Dataset, _index: int) -> None:
        data_set.add_new(0x00420011, "OB", b"%PDF" * 1000)

    files = archive.add(1, edit=edit)
    assert archive.parts(path_of(files, "bulk", "00420011")) == [("application/octet-stream", b"%PDF" * 1000)]
    bare = archive.send(path_of(files, "bulk", "00420011"), accept="application/octet-stream")
    assert (bare.header("content-length"), bare.read(9999)) == ("4000", b"%PDF" * 1000)
    ((_, pixels),) = archive.parts(path_of(files, "bulk", "7FE00010"))
    assert pixels == PIXELS[0].tobytes()
    for absent in ("00420012", "00100010", "00091001/1/00091002"):
        assert archive.send(path_of(files, "bulk", absent)).status == 404


@pytest.mark.parametrize("ending", ["rendered", "thumbnail"])
def test_nothing_is_rendered(archive: Archive, ending: str) -> None:
    """The viewer does that."""
    assert archive.send(path_of(archive.add(1), ending)).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/studies", 405), ("GET", "/servers", 404), ("GET", "", 404)]
)
def test_what_it_does_not_do_is_refused(archive: Archive, method: str, path: str, status: int) -> None:
    """It takes nothing in, and has no other addresses."""
    assert archive.send(path, method=method).status == status


# --- following changes ----------------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Give the files that are read from now on."""
    paths: list[Path] = []

    def reading(path: Path, charset: str) -> Entry | None:
        paths.append(path)
        return read_entry(path, charset)

    monkeypatch.setattr(index_module, "read_entry", reading)
    return paths


def test_a_file_is_read_once(archive: Archive, read: list[Path]) -> None:
    """However often is asked."""
    files = archive.add(1)
    for _ in range(3):
        archive.rows("/studies")
    assert sorted(read) == sorted(files)


def test_what_is_new_is_found_and_what_is_gone_is_not(archive: Archive, read: list[Path]) -> None:
    """Only what changed is read."""
    first = archive.add(1)
    assert len(archive.rows("/studies")) == 1
    second = archive.add(2)
    assert len(archive.rows("/studies")) == 2
    assert sorted(read) == sorted([*first, *second])
    first[0].unlink()
    assert len(archive.rows("/instances")) == 5
    assert archive.send(path_of(second)).status == 200
    for path in second:
        path.unlink()
    assert len(archive.rows("/studies")) == 1


def test_a_folder_that_has_just_changed_is_listed_again(tmp_path: Path, read: list[Path]) -> None:
    """A second file within the same tick of the file system's clock must not be missed."""
    clock = FixedClock(datetime.now(UTC) - timedelta(hours=1))  # noqa: TID251 - file systems read the clock
    archive = Archive(tmp_path, clock)
    files = archive.add(1)
    archive.rows("/studies")
    folder = files[0].parent
    stamp = folder.stat()
    extra = dcmread(files[0])
    extra.SOPInstanceUID = extra.file_meta.MediaStorageSOPInstanceUID = "1.2.99"
    extra.save_as(folder / "extra.dcm")
    os.utime(folder, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert len(archive.rows("/instances")) == 4


def test_of_an_instance_that_came_twice_the_newest_counts(archive: Archive) -> None:
    """The spool keeps both, under names of their own."""
    files = archive.add(1)
    changed = dcmread(files[0])
    changed.InstanceNumber = 4711
    changed.save_as(files[0].parent / "0-earlier-by-name.dcm")
    found = archive.rows("/instances")
    assert len(found) == 3
    assert 4711 in [row["00200013"]["Value"][0] for row in found]


@pytest.mark.parametrize("content", [b"", b"not dicom", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 500])
def test_a_file_that_cannot_be_read_hides_no_other(archive: Archive, content: bytes, read: list[Path]) -> None:
    """It is not shown, and not read again."""
    files = archive.add(1)
    (files[0].parent / "bad.dcm").write_bytes(content)
    assert len(archive.rows("/instances")) == 3
    assert len(archive.rows("/instances")) == 3
    assert len(read) == 4


def test_what_is_being_written_is_not_looked_at(archive: Archive) -> None:
    """The spool's scratch folders, and temporary files."""
    files = archive.add(1)
    (archive.spool / "incoming" / "tmp1").mkdir(parents=True)
    (archive.spool / "incoming" / "tmp1" / "x.part").write_bytes(files[0].read_bytes())
    (files[0].parent / "y.part").write_bytes(files[0].read_bytes())
    assert len(archive.rows("/instances")) == 3


def test_an_instance_is_still_given_whole_while_its_neighbour_is_removed(archive: Archive) -> None:
    """A file that goes away between search and retrieval is not found."""
    files = archive.add(1)
    gone = path_of(files)
    archive.rows("/instances")
    files[0].unlink()
    assert archive.send(gone).status == 404
    assert BytesIO(archive.parts(path_of(files[1:]))[0][1]).read(132)[-4:] == b"DICM"

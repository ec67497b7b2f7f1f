"""A folder as a person gives it: DICOM among other things, in any order, more than once."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.folder_scan import FolderScan, scan
from dicom_node.spool import FolderSpool
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import CompletionEvidence
from inference.uids import OutputUIDs
from tests.support.arrivals import data_set_bytes, small_series
from tests.support.small_analysis import SPEC


def skipped(found: FolderScan) -> dict[str, str]:
    """Give the reasons by file name."""
    return {entry.path.name: entry.reason for entry in found.skipped}


def test_series_are_gathered_over_folders(tmp_path: Path) -> None:
    """Where a file lies means nothing; series come in order of UID, their instances too."""
    for seed in (1, 2):
        small_series(tmp_path / f"study{seed}", slices=4, seed=seed)
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    shutil.move(tmp_path / "study1" / "0002.dcm", tmp_path / "elsewhere" / "deep" / "no extension")

    found = scan(tmp_path)

    assert [len(series.instances) for series in found.series] == [4, 4]
    assert found.skipped == ()
    uids = [series.series_instance_uid for series in found.series]
    assert uids == sorted(uids)
    for series in found.series:
        sop_uids = [instance.identity.sop_instance_uid for instance in series.instances]
        assert sop_uids == sorted(sop_uids)
        assert {i.identity.series_instance_uid for i in series.instances} == {series.series_instance_uid}
        assert {i.identity.study_instance_uid for i in series.instances} == {series.study_instance_uid}
        assert (series.revision, series.evidence) == (1, CompletionEvidence.OFFLINE)


def test_what_is_no_instance_is_skipped_by_name(tmp_path: Path) -> None:
    """Text, pictures, an empty file and a DICOMDIR are told, and disturb nothing."""
    paths = small_series(tmp_path / "series", slices=2)
    (tmp_path / "notes.txt").write_text("The patient moved in series three.\n" * 50)
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    files = FileSet()
    for path in paths:
        files.add(path)
    files.write(tmp_path / "disc")

    found = scan(tmp_path)

    assert [len(series.instances) for series in found.series] == [2]
    assert {"notes.txt", "empty.dcm", "picture.png", "DICOMDIR"} <= skipped(found).keys()
    assert all(reason and str(tmp_path) not in reason for reason in skipped(found).values())


def test_an_instance_that_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    """The first path in order wins, and the other is told."""
    paths = small_series(tmp_path / "a", slices=3)
    shutil.copy(paths[0], tmp_path / "z copy.dcm")

    found = scan(tmp_path)

    (series,) = found.series
    assert sorted(instance.path for instance in series.instances) == paths
    assert skipped(found) == {"z copy.dcm": "the same instance as another file"}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("SeriesInstanceUID", None), ("StudyInstanceUID", ""), ("SOPInstanceUID", ["1.2.3", "1.2.4"])],
)
def test_an_instance_without_valid_identifiers_is_skipped(tmp_path: Path, keyword: str, value: object) -> None:
    """It belongs to no series."""
    path, other = small_series(tmp_path, slices=2)
    data_set = dcmread(path)
    if value is None:
        delattr(data_set, keyword)
    else:
        setattr(data_set, keyword, value)
    data_set.save_as(path)

    found = scan(tmp_path)

    assert [instance.path for series in found.series for instance in series.instances] == [other]
    assert list(skipped(found)) == [path.name]


def test_files_without_preamble_are_taken(tmp_path: Path) -> None:
    """Old archives keep bare data sets: implicit little endian without File Meta."""
    (path,) = small_series(tmp_path, slices=1)
    data_set = dcmread(path)
    del data_set.file_meta
    data_set.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)

    (series,) = scan(tmp_path).series

    assert series.instances[0].transfer_syntax_uid == ImplicitVRLittleEndian
    assert series.instances[0].size_bytes == path.stat().st_size


def test_nothing_is_written(tmp_path: Path) -> None:
    """The folder is somebody's archive."""
    small_series(tmp_path, slices=2)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")}
    scan(tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")} == before


def test_the_node_gives_the_same_identifiers_to_the_same_objects(tmp_path: Path) -> None:
    """A result made offline and one made by the node are the same object: digests are of the data set alone."""
    paths = small_series(tmp_path / "in", slices=3)
    (offline,) = scan(tmp_path / "in").series
    spool = FolderSpool(tmp_path / "spool")
    received = [
        spool.store(instance.identity, instance.transfer_syntax_uid, data_set_bytes(instance.path.read_bytes()))
        for instance in offline.instances
    ]
    assert [instance.sha256 for instance in received] == [instance.sha256 for instance in offline.instances]

    for path in paths:
        data_set = dcmread(path)
        data_set.file_meta.SourceApplicationEntityTitle = "OTHER"
        data_set.save_as(path)
    (rewritten,) = scan(tmp_path / "in").series
    uids = [OutputUIDs.derive(ModelInputs(series), SPEC.reference) for series in (rewritten, offline)]
    assert uids[0] == uids[1]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["plain", "deflated"])
def test_damaged_files_stop_nothing(tmp_path: Path, kind: str) -> None:
    """Whatever is wrong with a file, the good ones are found."""
    path, good = small_series(tmp_path, slices=2)
    if kind == "deflated":
        data_set = dcmread(path)
        data_set.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data_set.save_as(path)
    whole = path.read_bytes()
    generator = random.Random(1)
    for number in range(60):
        damaged = bytearray(whole)
        for _ in range(generator.choice((1, 4, 30))):
            damaged[generator.randrange(132, len(damaged))] = generator.randrange(256)
        cut = generator.choice((len(damaged), generator.randrange(len(damaged))))
        (tmp_path / f"damaged{number:03d}.dcm").write_bytes(bytes(damaged[:cut]))

    found = scan(tmp_path)

    assert good in [instance.path for series in found.series for instance in series.instances]

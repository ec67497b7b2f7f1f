"""Results on disk: whole or not at all, and the newest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.codes import BRAIN, MILLILITRE, VOLUME
from inference.domain.identifiers import UID, JobID
from inference.domain.job import ModelReference
from inference.domain.result import EvidenceObject, Measurement, Report, SourceSeries, Subject
from inference.domain.study import InstanceIdentity
from inference.errors import EncodingError, JobNotFound, StoreUnavailable
from integrations import result_folder
from integrations.durable_files import write_durably
from integrations.result_folder import FolderResultStore
from tests.support.fakes import NOON
from tests.support.reports import findings_report, tumor_report

JOB = JobID("a" * 32)
IDENTITY = InstanceIdentity(UID("1.2.3"), UID("1.2.4"), UID("1.2.5"), UID("1.2.840.10008.5.1.4.1.1.66.4"))
REPORT = Report(
    report_uid=UID("2.25.1"),
    subject=Subject("P1", "", "김", "희중", "1970-01-01", "F"),
    source=SourceSeries(UID("1.2.3"), UID("1.2.4"), "A1", "", "Brain", "T1", "MR", NOON, (IDENTITY,)),
    model=ModelReference("brain-structures", "1.0.0", "d" * 64),
    model_title="Brain structures",
    manufacturer="NeuroNova",
    intended_use="research",
    procedure=BRAIN,
    region=BRAIN,
    measurements=(
        Measurement("Thalamus", BRAIN, VOLUME, 6.1234567890123, MILLILITRE, UID("2.25.2"), "Thalamus"),
        Measurement("Total", BRAIN, VOLUME, 1234.5, MILLILITRE),
    ),
    absent=("Pons",),
    evidence=(EvidenceObject("SEG", IDENTITY, "e" * 64),),
    warnings=(),
    produced_at=NOON,
)


def artifact(content: bytes = b"DICM", kind: ArtifactKind = ArtifactKind.SEG) -> DicomArtifact:
    """Give an artefact; its content is not looked into here."""
    return DicomArtifact(kind, IDENTITY, UID("1.2.840.10008.1.2.1"), content, hashlib.sha256(content).hexdigest())


@pytest.fixture
def store(tmp_path: Path) -> FolderResultStore:
    """Give an empty store."""
    return FolderResultStore(tmp_path / "results")


def files(tmp_path: Path, pattern: str) -> list[Path]:
    """Find files of the store."""
    return sorted((tmp_path / "results").rglob(pattern))


def test_what_is_saved_comes_back(store: FolderResultStore) -> None:
    """Artefacts in their order, the report with every number, name and time."""
    saved = [artifact(b"seg"), artifact(b"sr", ArtifactKind.SR)]

    store.save(JOB, saved, REPORT, {"run": 1})

    assert list(store.artifacts(JOB)) == saved
    assert store.report(JOB) == REPORT


@pytest.mark.parametrize("encoding", [None, *Segmentation], ids=str)
def test_for_whom_an_object_is_comes_back(store: FolderResultStore, encoding: Segmentation | None) -> None:
    """Else an archive would be sent an encoding that it does not take."""
    kept = replace(artifact(), segmentation=encoding)
    store.save(JOB, [kept], REPORT, {})
    assert list(store.artifacts(JOB)) == [kept]


@pytest.mark.parametrize("report", [tumor_report(), tumor_report(found=False), findings_report()])
def test_findings_and_the_answer_of_a_tumor_job_come_back(store: FolderResultStore, report: Report) -> None:
    """With their labels, places and further sources."""
    store.save(JOB, [], report, {})
    assert store.report(JOB) == report


def test_a_report_that_an_earlier_version_kept_is_still_read(store: FolderResultStore, tmp_path: Path) -> None:
    """It knew of segmentations only."""
    store.save(JOB, [], REPORT, {})
    (path,) = files(tmp_path, "report.json")
    kept = json.loads(path.read_bytes())
    for name in ("task", "findings", "tumor", "further_sources"):
        del kept[name]
    path.write_text(json.dumps(kept), encoding="utf-8")
    assert store.report(JOB) == REPORT


def test_the_newest_attempt_counts(store: FolderResultStore, tmp_path: Path) -> None:
    """A second save replaces the first, also with fewer artefacts, and leaves nothing of it."""
    store.save(JOB, [artifact(b"one"), artifact(b"two")], REPORT, {"run": 1})
    again = replace(REPORT, warnings=("one slice is missing",))

    store.save(JOB, [artifact(b"three")], again, {"run": 1})

    assert [kept.content for kept in store.artifacts(JOB)] == [b"three"]
    assert store.report(JOB) == again
    assert len(files(tmp_path, "*.dcm")) == 1


@pytest.mark.parametrize("writes_before", range(4))
def test_a_crash_while_saving_keeps_the_older_result(
    store: FolderResultStore, monkeypatch: pytest.MonkeyPatch, writes_before: int
) -> None:
    """Wherever a save is cut off, the earlier result is there in full; the next save succeeds."""
    store.save(JOB, [artifact(b"old")], REPORT, {"run": 1})
    done = iter(range(100))

    def failing(path: Path, *chunks: bytes) -> None:
        if next(done) == writes_before:
            raise OSError(28, "No space left on device")
        write_durably(path, *chunks)

    with monkeypatch.context() as patch:
        patch.setattr(result_folder, "write_durably", failing)
        with pytest.raises(StoreUnavailable):
            store.save(JOB, [artifact(b"new")], replace(REPORT, absent=()), {"run": 1})
    assert [kept.content for kept in store.artifacts(JOB)] == [b"old"]
    assert store.report(JOB) == REPORT

    store.save(JOB, [artifact(b"new")], REPORT, {"run": 1})
    assert [kept.content for kept in store.artifacts(JOB)] == [b"new"]


def test_a_job_without_results(store: FolderResultStore) -> None:
    """There is nothing to give, and an id is never a path."""
    for job_id in (JOB, JobID("../../etc"), JobID("")):
        with pytest.raises(JobNotFound):
            store.report(job_id)
        with pytest.raises(JobNotFound):
            store.artifacts(job_id)


def test_damage_is_noticed(store: FolderResultStore, tmp_path: Path) -> None:
    """What was changed, cut or lost on disk is never delivered."""
    store.save(JOB, [artifact(b"seg")], REPORT, {"run": 1})
    (dicom,) = files(tmp_path, "*.dcm")
    dicom.write_bytes(b"xeg")
    with pytest.raises(EncodingError, match="damaged"):
        store.artifacts(JOB)

    dicom.unlink()
    with pytest.raises(EncodingError, match="missing"):
        store.artifacts(JOB)

    (report,) = files(tmp_path, "report.json")
    report.write_bytes(report.read_bytes()[:100])
    with pytest.raises(EncodingError):
        store.report(JOB)


def test_what_cannot_be_read_now_is_not_lost(store: FolderResultStore, tmp_path: Path) -> None:
    """An error of the file system is one to retry, not a missing result."""
    store.save(JOB, [artifact(b"seg")], REPORT, {"run": 1})
    (report,) = files(tmp_path, "report.json")
    report.unlink()
    report.mkdir()
    with pytest.raises(StoreUnavailable):
        store.report(JOB)

    (current,) = files(tmp_path, "current")
    current.unlink()
    current.mkdir()
    with pytest.raises(StoreUnavailable):
        store.report(JOB)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A root below a file is said to be unavailable."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable):
        FolderResultStore(tmp_path / "file" / "results").save(JOB, [], REPORT, {"run": 1})

"""Every complete series ends with a decision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_node.intake import Intake
from inference.domain.arrival import ArrivalHeader
from inference.domain.identifiers import AETitle
from inference.domain.model_spec import Deployment, Weighting
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import ReasonCode
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.fakes import FixedCatalogue, FixedClock
from tests.support.memory_index import MemoryIndex, SeriesRow
from tests.support.model_packages import make_spec, with_id
from tests.support.several_channels import with_channels
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series


class Bench:
    """An intake on an index that holds one series."""

    def __init__(
        self, paths: list[Path], catalogue: FolderCatalogue | FixedCatalogue, *, takes_notes: bool = False
    ) -> None:
        self.index = MemoryIndex(FixedClock())
        self.series: SeriesRevision = revision_of(paths)
        for instance in self.series.instances:
            self.index.add(instance, ArrivalHeader(), AETitle("SENDER"))
        self.hurried = 0
        self.intake = Intake(self.index, catalogue, self._hurry, takes_notes=takes_notes)

    def _hurry(self) -> None:
        assert self.index.rows[self.series.series_instance_uid].jobs, "the jobs must be committed first"
        self.hurried += 1

    def admit(self) -> SeriesRow:
        """Admit the series as the index has it."""
        uid = self.series.series_instance_uid
        self.jobs = self.intake.admit(self.index.series(uid, CompletionEvidence.QUIET_TIME))
        return self.index.rows[uid]


@pytest.fixture(scope="module")
def catalogue() -> FolderCatalogue:
    """Give the models of the distribution."""
    return FolderCatalogue([builtin_models_root()])


PLAIN = SeriesOptions()


def head(folder: Path, options: SeriesOptions = PLAIN) -> list[Path]:
    """Write a T1-weighted series with enough slices for the built-in model."""
    shape = (150, 8, 8)
    return write_series(folder, np.ones(shape), axial_grid(shape), options)


def test_a_series_that_a_model_wants_gets_its_job(tmp_path: Path, catalogue: FolderCatalogue) -> None:
    """One job for each matching model, named exactly."""
    bench = Bench(head(tmp_path), catalogue)
    row = bench.admit()
    assert [job.model for job in row.jobs] == [spec.reference for spec in catalogue.active()]
    assert row.decisions[0][1].analysed
    assert len(bench.jobs) == len(row.jobs)
    assert bench.hurried == 1
    assert (row.jobs[0].revision, row.jobs[0].rejection) == (1, None)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (SeriesOptions(header={"Modality": "CT"}), ReasonCode.MODALITY),
        (SeriesOptions(header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}), ReasonCode.LOCALIZER),
        (SeriesOptions(sop_class_uid=SecondaryCaptureImageStorage), ReasonCode.SECONDARY_CAPTURE),
    ],
)
def test_a_series_that_no_model_wants_gets_a_reason(
    tmp_path: Path, catalogue: FolderCatalogue, options: SeriesOptions, code: ReasonCode
) -> None:
    """The decision and one job that is born REJECTED carry the same named reason."""
    row = Bench(head(tmp_path, options), catalogue).admit()
    decision = row.decisions[0][1]
    assert (decision.analysed, decision.code) == (False, code)
    assert decision.message
    assert [(job.model, job.rejection) for job in row.jobs] == [(None, (decision.code, decision.message))]


def test_a_series_that_a_model_knows_but_for_its_slices_gets_a_note(
    tmp_path: Path, catalogue: FolderCatalogue
) -> None:
    """Where somebody takes notes: in the name of the model that would have been run, and a worker hears of it."""
    paths = head(tmp_path)
    del paths[40:45]
    bench = Bench(paths, catalogue, takes_notes=True)

    (job,) = bench.admit().jobs

    assert job.rejection is not None
    assert (job.rejection[0], job.noted) == (ReasonCode.GAP, True)
    assert [job.model] == [spec.reference for spec in catalogue.active()]
    assert bench.hurried == 1


@pytest.mark.parametrize("takes_notes", [True, False])
def test_what_no_model_knows_gets_no_note(tmp_path: Path, catalogue: FolderCatalogue, *, takes_notes: bool) -> None:
    """Nobody waits for a result of a localizer."""
    options = SeriesOptions(header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    (job,) = Bench(head(tmp_path, options), catalogue, takes_notes=takes_notes).admit().jobs
    assert (job.model, job.noted) == (None, False)


def test_without_models_every_series_is_rejected(tmp_path: Path) -> None:
    """An empty catalogue is no reason for silence."""
    row = Bench(head(tmp_path), FixedCatalogue()).admit()
    assert row.decisions[0][1].code == ReasonCode.NO_MODEL


def test_headers_that_cannot_be_read_are_a_reason(tmp_path: Path, catalogue: FolderCatalogue) -> None:
    """A file that vanished or was damaged ends in a rejection, never in a series that is tried for ever."""
    paths = head(tmp_path)
    bench = Bench(paths, catalogue)
    paths[3].unlink()
    row = bench.admit()
    assert not row.decisions[0][1].analysed
    assert row.decisions[0][1].code
    assert not row.receiving


def test_an_unforeseen_reader_error_is_a_reason_too(
    tmp_path: Path, catalogue: FolderCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a header makes a library raise, the series is decided, and the text stays out of the reason."""

    def explode(_series: object, _charsets: object) -> None:
        raise NotImplementedError("Doe^Jane")

    monkeypatch.setattr("dicom_node.intake.describe_revision", explode)
    decision = Bench(head(tmp_path), catalogue).admit().decisions[0][1]
    assert decision.code == "receive.unreadable"
    assert "Doe" not in str(decision.message)


def test_an_arrival_meanwhile_refuses_the_decision(tmp_path: Path, catalogue: FolderCatalogue) -> None:
    """What was decided on fewer instances than there are now is not recorded."""
    paths = head(tmp_path)
    bench = Bench(paths[:-1], catalogue)
    stale = bench.index.series(bench.series.series_instance_uid, CompletionEvidence.QUIET_TIME)
    for instance in revision_of(paths).instances:
        bench.index.add(instance, ArrivalHeader(), AETitle("SENDER"))
    assert bench.intake.admit(stale) == []
    assert bench.index.rows[stale.series_instance_uid].receiving


FLAIR = {"ScanningSequence": ["SE", "IR"], "RepetitionTime": "9000", "EchoTime": "120", "InversionTime": "2500"}
TWO = with_id(with_channels(make_spec(), T1=Weighting.T1, FLAIR=Weighting.FLAIR), "two_channels")


@pytest.mark.parametrize("header", [{}, FLAIR], ids=["T1", "FLAIR"])
def test_a_model_with_several_channels_gets_a_job_about_the_study(tmp_path: Path, header: dict[str, object]) -> None:
    """From each of its series; whether that becomes one job is the index's to say."""
    row = Bench(head(tmp_path, SeriesOptions(header=header)), FixedCatalogue([TWO])).admit()
    (job,) = row.jobs
    assert (job.model, job.whole_study, job.shadow) == (TWO.reference, True, False)
    assert row.decisions[0][1].analysed


def test_a_model_with_one_channel_gets_a_job_about_the_series(tmp_path: Path) -> None:
    """Beside one about the study."""
    row = Bench(head(tmp_path), FixedCatalogue([make_spec(), TWO])).admit()
    assert [(job.model.model_id, job.whole_study) for job in row.jobs if job.model] == [
        ("test_model", False),
        ("two_channels", True),
    ]


SHADOW = replace(with_id(make_spec(), "trial"), deployment=Deployment.SHADOW)


def test_a_model_in_shadow_gets_its_job_and_has_no_say(tmp_path: Path) -> None:
    """A series that only it wants is not analysed: nothing of it will be published, and that must be said."""
    bench = Bench(head(tmp_path), FixedCatalogue([SHADOW]))
    row = bench.admit()
    decision = row.decisions[0][1]
    assert (decision.analysed, decision.code) == (False, ReasonCode.NO_MODEL)
    assert [(job.model, job.shadow, job.rejection) for job in row.jobs] == [
        (SHADOW.reference, True, None),
        (None, False, (decision.code, decision.message)),
    ]
    assert bench.hurried == 1


def test_a_model_in_shadow_works_beside_the_others(tmp_path: Path) -> None:
    """The decision is theirs."""
    row = Bench(head(tmp_path), FixedCatalogue([SHADOW, make_spec()])).admit()
    assert row.decisions[0][1].analysed
    assert [(job.model.model_id, job.shadow) for job in row.jobs if job.model] == [
        ("test_model", False),
        ("trial", True),
    ]

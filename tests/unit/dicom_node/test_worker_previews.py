"""A worker keeps a preview of what it publishes; a result never waits for it, nor falls with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from inference.domain.identifiers import JobID
from inference.domain.job import JobState, NewJob
from inference.domain.model_spec import Plausibility
from inference.encoding.preview_file import PreviewFile
from inference.errors import StoreUnavailable
from inference.ports import PreviewStore
from integrations.preview_folder import PreviewFolder
from tests.support.fakes import FixedCatalogue
from tests.support.small_analysis import SPEC, STEP, TRUE_VOLUMES_ML, blocks, write_blocks
from tests.support.synthetic_series import SeriesOptions, revision_of
from tests.support.work_bench import WorkBench


class FullDisk(PreviewStore):
    """A folder without room."""

    def save(self, job_id: JobID, parts: Sequence[bytes]) -> None:
        """Refuse."""
        raise StoreUnavailable("the preview cannot be kept (OSError)")

    def find(self, job_id: JobID) -> Path | None:
        """Find nothing."""
        return None


@pytest.fixture
def previews(bench: WorkBench, tmp_path: Path) -> PreviewFolder:
    """Give the bench a folder for previews."""
    bench.previews = PreviewFolder(tmp_path / "previews")
    return bench.previews


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless])
def test_a_published_result_has_a_preview(bench: WorkBench, previews: PreviewFolder, syntax: str) -> None:
    """With the voxels that were analysed, however they came: who shows it needs no decoder."""
    found = revision_of(write_blocks(bench.spool, SeriesOptions(transfer_syntax_uid=syntax)))
    for instance in found.instances:
        bench.add(instance)

    job = bench.infer(bench.close(found))

    path = previews.find(job.job_id)
    assert (job.state, path is not None) == (JobState.DELIVERING, True)
    preview = PreviewFile(path or Path())
    shown = np.stack([preview.values(index) for index in range(preview.header.shape[0])])
    assert np.array_equal(shown, blocks() * STEP)
    assert (preview.header.modality, preview.header.inverted) == ("MR", False)
    assert {one.label: one.volume_ml for one in preview.header.structures} == pytest.approx(
        dict(zip((label.name for label in SPEC.labels), TRUE_VOLUMES_ML.values(), strict=True))
    )


def test_a_preview_that_cannot_be_kept_costs_nothing(bench: WorkBench) -> None:
    """The result is on its way, and the log says what is missing."""
    bench.previews = FullDisk()

    job = bench.infer(bench.arrive())

    assert job.state is JobState.DELIVERING
    assert [line["event"] for line in bench.logs if line["event"] == "job.no_preview"] == ["job.no_preview"]
    assert bench.deliver(job.job_id).state is JobState.COMPLETED


def test_a_trial_has_none(bench: WorkBench, previews: PreviewFolder) -> None:
    """Readers are shown what they may read, and nothing else."""
    arrived = bench.jobs.get(bench.arrive())
    trial = NewJob(arrived.study_instance_uid, arrived.series_instance_uid, 1, arrived.model, run=1, shadow=True)
    job_id = bench.jobs.create(trial).job_id

    assert bench.infer(job_id).state is JobState.COMPLETED
    assert previews.find(job_id) is None


def test_what_is_rejected_has_none(bench: WorkBench, previews: PreviewFolder) -> None:
    """What cannot be true is not shown either."""
    bench.catalogue = FixedCatalogue([replace(SPEC, plausibility=Plausibility((0.0, 0.5), ()))])
    job = bench.infer(bench.arrive())

    assert (job.state, previews.find(job.job_id)) == (JobState.REJECTED, None)


def test_a_repetition_replaces_the_preview(previews: PreviewFolder) -> None:
    """There is one for each job, the latest."""
    previews.save(JobID("a" * 32), [b"one"])
    previews.save(JobID("a" * 32), [b"t", b"wo"])
    path = previews.find(JobID("a" * 32))

    assert path is not None
    assert path.read_bytes() == b"two"
    assert previews.find(JobID("b" * 32)) is None

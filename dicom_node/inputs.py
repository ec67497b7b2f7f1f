"""What a job's model is given: the series that it was made for, or those of its study, once they are all there.

A model with several channels waits for what its study can still receive, and says what it waits for. It does not wait
for ever: nobody tells when the last series of a study was sent, so time decides, unless somebody says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from inference.channels import Candidate, assign
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.job import Failure, Job
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.series_header import SeriesHeader
from inference.domain.study import SeriesRevision, StudyContents
from inference.errors import IncompleteSeries, ReasonCode
from inference.ports import Clock, StudyIndex
from inference.reading import check_images, describe_revision

RECHECK_SECONDS: Final = 10.0
"""How soon a study is looked at again whose wait is over but for a series that is still open."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """Not everything is here yet.

    Parameters
    ----------
    reason
        What is waited for.
    until
        When to look again, if nothing comes before.
    """

    reason: Failure
    until: datetime


class InputResolver:
    """Finds the series of a job.

    Parameters
    ----------
    index
        What arrived.
    clock
        Time.
    wait_seconds
        How long after its latest instance a study may still receive a series that a channel lacks.
    charsets
        What is assumed of senders that name no character set.
    """

    def __init__(
        self, index: StudyIndex, clock: Clock, wait_seconds: float, charsets: CharacterSets = NOTHING_CONFIGURED
    ) -> None:
        self._index = index
        self._clock = clock
        self._wait = timedelta(seconds=wait_seconds)
        self._charsets = charsets

    def resolve(self, job: Job, spec: ModelSpec) -> ModelInputs | Awaited:
        """Give what the job's model is run on, or what it waits for.

        Parameters
        ----------
        job
            The job.
        spec
            Its model.

        Raises
        ------
        IncompleteSeries
            SUPERSEDED where a later revision of the series exists, whose own job answers; INCOMPLETE where its images
            were removed; CHANNEL_MISSING where the study lacks a series that the model cannot do without.
        StudyNotFound
            If the study or series is not known.
        """
        if len(spec.channels) == 1:
            return ModelInputs(self._series(job))
        contents = self._index.study(job.study_instance_uid)
        assignment = assign(spec.channels, candidates(contents.closed, self._charsets))
        until = self._look_again_at(contents) if assignment.missing else None
        if until is None:
            return assignment.inputs()
        return Awaited(Failure(ReasonCode.CHANNEL_AWAITED, f"waiting for {', '.join(assignment.missing)}"), until)

    def _series(self, job: Job) -> SeriesRevision:
        series = self._index.series(job.series_instance_uid)
        if series.revision != job.revision:
            raise IncompleteSeries(ReasonCode.SUPERSEDED, "late instances came: the later revision's job answers")
        check_images(series)
        return series

    def _look_again_at(self, contents: StudyContents) -> datetime | None:
        """Give the time at which the wait is over at the latest; None if it is over."""
        now, until = self._clock.now(), contents.last_received_at + self._wait
        if contents.receiving:
            return max(until, now + timedelta(seconds=RECHECK_SECONDS))
        return None if contents.signalled or until <= now else until


def candidates(series: Sequence[SeriesRevision], charsets: CharacterSets) -> tuple[Candidate, ...]:
    """Read what the series of a study say about themselves; one that cannot be read is none, and has its own reason.

    Parameters
    ----------
    series
        Complete series; their files are read up to the pixel data, one series at a time.
    charsets
        What is assumed where a header names no character set.
    """
    found = ((revision, _header(revision, charsets)) for revision in series)
    return tuple(Candidate(revision, header) for revision, header in found if header is not None)


def _header(series: SeriesRevision, charsets: CharacterSets) -> SeriesHeader | None:
    try:
        return describe_revision(series, charsets)
    except Exception:  # noqa: BLE001 - headers made by strangers; the intake has given the series its reason
        return None

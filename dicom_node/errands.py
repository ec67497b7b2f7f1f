"""What a delivery worker brings where: a result, a review of it, its withdrawal, or the note that there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

from dicom_node.rounds import Stop
from dicom_node.withdrawals import WithdrawalOrder, order_of, rejection_notes
from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Wanted
from inference.domain.job import REVIEWS, Job, ModelReference
from inference.domain.result import Report
from inference.domain.review import Review, Verdict, summed_up
from inference.encoding.gate import check_objects, known_to
from inference.encoding.revision import revise, sent_after
from inference.encoding.withdrawal import is_rejection
from inference.errors import EncodingError, Stage
from inference.ports import ArtifactSink, ReportSink


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive, and what it takes.

    Parameters
    ----------
    name
        Unique among archives and report servers.
    sink
        How it is reached.
    wanted
        What it takes.
    notes
        Whether it is told that a series was not analysed.
    """

    name: str
    sink: ArtifactSink
    wanted: Wanted
    notes: bool = False


@dataclass(frozen=True, slots=True)
class Destinations:
    """Everybody who is told.

    Parameters
    ----------
    archives
        The archives; reports wait for the first.
    reports
        Report servers by name; the address that the first gives is the job's.
    """

    archives: Sequence[Archive]
    reports: Mapping[str, ReportSink]

    @property
    def take_notes(self) -> bool:
        """Whether anybody wants to know that a series was not analysed."""
        return any(archive.notes for archive in self.archives)


@dataclass(frozen=True, slots=True)
class Kept:
    """A result as it lies on disk.

    Parameters
    ----------
    artifacts
        Its DICOM objects.
    report
        What report servers are told; None for a model that publishes no report.
    """

    artifacts: Sequence[DicomArtifact]
    report: Report | None


class Errands:
    """Lists the stops of each errand.

    Parameters
    ----------
    destinations
        Everybody who is told.
    zone
        Where the site is.
    """

    def __init__(self, destinations: Destinations, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._archives = destinations.archives
        self._reports = destinations.reports

    def result(self, kept: Kept) -> list[Stop]:
        """Bring a result: the objects that each archive takes; the report once the first archive holds its own."""
        stops = list(self._stops(lambda archive: [each for each in kept.artifacts if archive.wanted.takes(each)]))
        return [*stops, *self._report_stops(kept, lambda sink, report: sink.store(report), _first(stops))]

    def note(self, kept: Kept) -> list[Stop]:
        """Tell those who want to know that a series was not analysed; nobody where none does any more."""
        stops = list(self._stops(lambda archive: kept.artifacts if archive.notes else ()))
        if not stops:
            return []
        return [*stops, *self._report_stops(kept, lambda sink, report: sink.store(report), _first(stops))]

    def withdrawal(self, job: Job, kept: Kept, told: Collection[str]) -> list[Stop]:
        """Say that a result does not stand, in one place also while another is away.

        Parameters
        ----------
        job
            The job.
        kept
            Its result.
        told
            Names of the archives that were sent any of it: each learns of it, whatever it takes otherwise.

        Raises
        ------
        EncodingError
            If the job does not say why, or the stored objects cannot be read.
        """
        order, reviews = order_of(job), reviews_of(job)
        standing = [review for review in reviews if review.verdict is not Verdict.REJECT]
        sent = sent_after(kept.artifacts, order.model, standing)
        notes, reason = self._rejection(sent, order, reviews[-1:])
        _check(notes, sent)
        stops = self._stops(lambda archive: notes if archive.name in told else ())

        def withdraw(sink: ReportSink, report: Report) -> None:
            """Mark one report as entered in error."""
            sink.withdraw(report, reason)

        return [*stops, *self._report_stops(kept, withdraw, None)]

    def _rejection(
        self, sent: Sequence[DicomArtifact], order: WithdrawalOrder, last: Sequence[Review]
    ) -> tuple[Sequence[DicomArtifact], str]:
        """Give what tells archives that nothing of a result stands, and the reason for report servers."""
        rejecting = [review for review in last if review.verdict is Verdict.REJECT]
        if not rejecting:
            return rejection_notes(sent, replace(order, at=order.at.astimezone(self._zone))), order.reason
        notes = revise(sent, order.model, rejecting[0]) if sent else ()
        return notes, f"rejected by a reader: {order.reason}"

    def review(self, job: Job, kept: Kept, told: Collection[str]) -> list[Stop]:
        """Bring what the latest review changes: new objects, the rejection of old ones, the report's status.

        Parameters
        ----------
        job, kept, told
            As for a withdrawal.

        Raises
        ------
        EncodingError
            If the stored objects cannot be revised.
        """
        model = model_of(job)
        *earlier, review = reviews = reviews_of(job)
        sent = sent_after(kept.artifacts, model, earlier)
        made = revise(sent, model, review)
        _check(made, sent)

        def part_of(archive: Archive) -> Sequence[DicomArtifact]:
            """Give what an archive takes of it, and the rejection whatever it takes."""
            is_told = archive.name in told
            return [each for each in made if is_told and (archive.wanted.takes(each) or is_rejection(each))]

        stops = list(self._stops(part_of))

        def tell(sink: ReportSink, report: Report) -> str:
            """Give one report the status that all reviews together give it."""
            return sink.review(report, summed_up(reviews))

        return [*stops, *self._report_stops(kept, tell, _first(stops))]

    def _stops(self, part_of: Callable[[Archive], Sequence[DicomArtifact]]) -> Iterator[Stop]:
        """List the archives that are sent anything."""
        for archive in self._archives:
            part = part_of(archive)
            if part:
                yield Stop(archive.name, Stage.DELIVER, partial(_bring, archive.sink, part))

    def _report_stops(
        self, kept: Kept, tell: Callable[[ReportSink, Report], str | None], after: str | None
    ) -> Iterator[Stop]:
        if kept.report is None:
            return
        for name, sink in self._reports.items():
            yield Stop(name, Stage.REPORT, partial(tell, sink, kept.report), after)


def reviews_of(job: Job) -> list[Review]:
    """List the reviews of a job, oldest first."""
    found: Any = (job.result or {}).get(REVIEWS, [])
    return [Review.from_json(values) for values in found]


def model_of(job: Job) -> ModelReference:
    """Give the model of a job that has a result.

    Raises
    ------
    EncodingError
        If it names none.
    """
    if job.model is None:
        raise EncodingError("the job names no model")
    return job.model


def _first(stops: Sequence[Stop]) -> str | None:
    return stops[0].name if stops else None


def _check(made: Sequence[DicomArtifact], before: Sequence[DicomArtifact]) -> None:
    """Hold what a person's word has made to the same rules as a result."""
    if made:
        check_objects(made, known_to(before))


def _bring(sink: ArtifactSink, artifacts: Sequence[DicomArtifact]) -> None:
    sink.deliver(artifacts)
    sink.confirm(artifacts)

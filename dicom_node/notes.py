"""The note that a series was not analysed, for readers who would otherwise wait for a result."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any

from dicom_node.errands import Kept
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.job import REFUSAL, Failure, Job
from inference.domain.model_inputs import ModelInputs
from inference.domain.result import Refusal
from inference.encoding.gate import check_objects
from inference.encoding.note import NoteSubject, refusal_note
from inference.errors import EncodingError, ModelNotFound, ModelRecalled
from inference.headers import read_headers
from inference.pipeline import options_of
from inference.ports import ModelCatalogue, StudyIndex
from inference.reporting import build_refusal_report
from inference.uids import OutputUIDs


def is_noted(job: Job) -> bool:
    """Tell whether a job ends with a note instead of a result."""
    return REFUSAL in (job.result or {})


def reason_of(job: Job) -> Failure:
    """Give why the series of a job was not analysed, whatever has become of the note since."""
    told: Any = (job.result or {}).get(REFUSAL, {})
    return Failure(str(told.get("code", "")), str(told.get("message", "")))


class NoteWriter:
    """Writes notes anew whenever they are sent: the same series and reason make the same bytes.

    Parameters
    ----------
    index
        What arrived.
    catalogue
        The models.
    charsets
        What is assumed of senders that name no character set.
    zone
        Where the site is.
    """

    def __init__(
        self,
        index: StudyIndex,
        catalogue: ModelCatalogue,
        charsets: CharacterSets = NOTHING_CONFIGURED,
        zone: tzinfo = UTC,
    ) -> None:
        self._index = index
        self._catalogue = catalogue
        self._charsets = charsets
        self._zone = zone

    def write(self, job: Job) -> Kept | None:
        """Give the note of a job, as objects and as a report; None where there is nothing to tell any more.

        That is so where late instances have changed the series, whose later revision has a job of its own, and where
        the model has been recalled or removed.

        Parameters
        ----------
        job
            One that was refused.

        Raises
        ------
        EncodingError
            If the job names no model, or the series does not allow it.
        StudyNotFound
            If the series is not known.
        """
        if job.model is None:
            raise EncodingError("the job does not say what was not analysed, and why")
        reason = reason_of(job)
        refusal = Refusal(reason.code, reason.message)
        inputs = ModelInputs(self._index.series(job.series_instance_uid))
        series = inputs.reference
        if series.revision != job.revision:
            return None
        try:
            spec = self._catalogue.exactly(job.model)
        except (ModelNotFound, ModelRecalled):
            return None
        charset = self._charsets.of(series.calling_ae)
        header = read_headers(series.instances[:1], charset)[0].data_set
        subject = NoteSubject(
            header=header,
            instances=[instance.identity for instance in series.instances],
            spec=spec,
            refusal=refusal,
            uids=OutputUIDs.derive(inputs, spec.reference, f"{options_of(charset, self._zone)} not analysed"),
            produced_at=(series.completed_at or job.created_at).astimezone(self._zone),
        )
        note = refusal_note(subject)
        check_objects([note], [instance.identity.sop_instance_uid for instance in series.instances])
        report = replace(build_refusal_report(series, subject, note), ordered_at=job.created_at)
        if len(spec.channels) > 1:  # whose results belong to the series of its first channel, which may be another
            report = replace(report, lineage_uid=None)
        return Kept([note], report if spec.publication.fhir else None)

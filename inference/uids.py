"""Output UIDs derived from the input, so that a retry makes the same objects and a changed answer new ones.

An archive that is sent a known SOP Instance UID may answer success and keep the *old* bytes (measured with Orthanc),
so whatever can change the answer is part of the derivation: the source instances with the digests of their bytes, the
model's weights and the options. UIDs are UUID-derived under the ``2.25`` root (PS3.5 annex B.2).
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Self

from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import SeriesRevision


def _digest(*parts: str) -> str:
    """Hash parts unambiguously: each is preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _uid(*parts: str) -> UID:
    """Make a UID from parts; the same parts give the same UID."""
    name = bytes.fromhex(_digest(*parts))[:16]
    return UID(f"2.25.{uuid.UUID(bytes=name, version=5).int}")


def _instances(series: SeriesRevision) -> list[str]:
    """List the instances and their digests in order of SOP Instance UID."""
    ordered = sorted((i.identity.sop_instance_uid, i.sha256) for i in series.instances)
    return [part for pair in ordered for part in pair]


@dataclass(frozen=True, slots=True)
class OutputUIDs:
    """All identifiers of one result.

    Parameters
    ----------
    answer
        Digest of everything that can change the answer.
    subject
        Digest of what is measured, whatever the answer: the reference series and model id.
    """

    answer: str
    subject: str

    @classmethod
    def derive(cls, inputs: ModelInputs, model: ModelReference, options: str = "") -> Self:
        """Derive the identifiers of the result of one model on the series of its channels.

        Parameters
        ----------
        inputs
            The source; the order of channels matters, that of a series' instances does not.
        model
            Which model, exactly.
        options
            Whatever else changes the objects, e.g. the kind of SEG, in a canonical spelling.
        """
        sources = _instances(inputs.reference)
        for series in inputs.others:
            sources += ["channel", series.series_instance_uid, *_instances(series)] if series else ["no channel"]
        answer = _digest("answer", model.model_id, model.version, model.digest, options, *sources)
        return cls(answer, _digest("subject", inputs.reference.series_instance_uid, model.model_id))

    def series(self, kind: str) -> UID:
        """Give the Series Instance UID of the result series of a kind, e.g. ``SEG``."""
        return _uid(self.answer, "series", kind)

    def instance(self, kind: str) -> UID:
        """Give the SOP Instance UID of the result object of a kind, e.g. ``SR``."""
        return _uid(self.answer, "instance", kind)

    def report(self) -> UID:
        """Give the identifier of the report."""
        return _uid(self.answer, "report")

    def lineage(self) -> UID:
        """Give what all reports on the reference series by this model share, whatever the version and the answer."""
        return _uid(self.subject, "lineage")

    def other(self, name: str) -> UID:
        """Give a further identifier that belongs to this answer, e.g. of a dimension organization."""
        return _uid(self.answer, "other", name)

    def tracking(self, label_value: int, ordinal: int | None = None) -> UID:
        """Give the Tracking UID of a structure, or of one of several detections (PS3.16 TID 1410, TID 1411).

        It names the structure in this source series as this model sees it, so it stays the same when the model's
        weights change and the analysis is run again.
        """
        which = () if ordinal is None else (str(ordinal),)
        return _uid(self.subject, "tracking", str(label_value), *which)

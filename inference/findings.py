"""What a classifier or a detector says, as findings that are there or not."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from inference.domain.answer import Classified, Detected, Detection
from inference.domain.model_spec import LabelSpec, ModelSpec
from inference.domain.result import Finding, Place
from inference.uids import OutputUIDs

TRACKING_ID_LENGTH: Final = 64
"""Characters of a Tracking ID, which is an LO in a Segmentation."""


def classified(answer: Classified, spec: ModelSpec, uids: OutputUIDs) -> tuple[Finding, ...]:
    """Say of every label whether it is there: its probability reaches its threshold.

    Parameters
    ----------
    answer
        Probabilities in order of label value.
    spec
        The model.
    uids
        Tracking identities.
    """
    ordered = sorted(spec.labels, key=lambda label: label.value)
    return tuple(
        Finding(label, probability >= label.threshold, probability, uids.tracking(label.value), label.name)
        for label, probability in zip(ordered, answer.probabilities.tolist(), strict=True)
    )


def detected(answer: Detected, spec: ModelSpec, uids: OutputUIDs) -> tuple[Finding, ...]:
    """Give a finding for each detection, and one that is not present for each label of which nothing was found.

    Detections of a label are counted, surest first; their tracking identity is made of label and count.

    Parameters
    ----------
    answer
        Detections at or above their label's threshold, surest first.
    spec
        The model.
    uids
        Tracking identities.
    """
    by_label: dict[int, list[Detection]] = defaultdict(list)
    for detection in answer.detections:
        by_label[detection.label_value].append(detection)
    return tuple(finding for label in spec.labels for finding in _of_label(label, by_label[label.value], uids))


def _of_label(label: LabelSpec, detections: list[Detection], uids: OutputUIDs) -> list[Finding]:
    if not detections:
        return [Finding(label, False, None, uids.tracking(label.value), label.name)]
    return [
        Finding(
            label=label,
            present=True,
            probability=detection.score,
            tracking_uid=uids.tracking(label.value, ordinal),
            tracking_id=_tracking_id(label, ordinal),
            place=Place(detection.centre_lps_mm, detection.corners_lps_mm),
        )
        for ordinal, detection in enumerate(detections, start=1)
    ]


def _tracking_id(label: LabelSpec, ordinal: int) -> str:
    number = f" {ordinal}"
    return f"{label.name[: TRACKING_ID_LENGTH - len(number)]}{number}"

"""Output UIDs: the same input gives the same, a changed answer gives new ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import CompletionEvidence, InstanceIdentity, SeriesRevision, StoredInstance
from inference.uids import OutputUIDs

MODEL = ModelReference("brain", "1.0.0", "ab" * 32)


def instance(number: int, digest: str = "00") -> StoredInstance:
    identity = InstanceIdentity(UID("1.2.1"), UID("1.2.2"), UID(f"1.2.3.{number}"), UID("1.2.4"))
    return StoredInstance(identity, UID("1.2.840.10008.1.2"), Path(f"{number}.dcm"), digest, 100)


def series(*instances: StoredInstance) -> SeriesRevision:
    return SeriesRevision(UID("1.2.1"), UID("1.2.2"), 1, instances, CompletionEvidence.OFFLINE)


def further(number: int, *instances: StoredInstance) -> SeriesRevision:
    return replace(series(*instances), series_instance_uid=UID(f"1.2.2.{number}"))


SERIES = series(instance(1), instance(2))
T2 = further(2, instance(20))
FLAIR = further(3, instance(30), instance(31))
UIDS = OutputUIDs.derive(ModelInputs(SERIES), MODEL)
TOGETHER = OutputUIDs.derive(ModelInputs(SERIES, (T2, FLAIR)), MODEL)


def test_a_retry_makes_the_same_objects() -> None:
    """Order of arrival, revision and evidence change nothing."""
    again = replace(series(instance(2), instance(1)), revision=2, evidence=CompletionEvidence.SIGNAL)
    assert OutputUIDs.derive(ModelInputs(again), MODEL) == UIDS


def test_uids_that_were_given_out_stay() -> None:
    """Archives hold objects under these: a new version of the node must not make others of the same series."""
    assert UIDS.report() == "2.25.330617940819830832735610562654165941752"
    assert UIDS.tracking(7) == "2.25.116707790339871664135355220114588087684"


@pytest.mark.parametrize(
    ("source", "model", "options"),
    [
        (series(instance(1), instance(2), instance(3)), MODEL, ""),
        (series(instance(1), instance(2, "11")), MODEL, ""),
        (SERIES, replace(MODEL, digest="cd" * 32), ""),
        (SERIES, replace(MODEL, version="1.0.1"), ""),
        (SERIES, MODEL, "labelmap"),
    ],
    ids=["one more instance", "other bytes", "other weights", "other version", "other options"],
)
def test_a_changed_answer_gets_new_objects(source: SeriesRevision, model: ModelReference, options: str) -> None:
    """Whatever can change the answer changes every object's UID, but not the structures' identity."""
    other = OutputUIDs.derive(ModelInputs(source), model, options)
    assert other.series("SEG") != UIDS.series("SEG")
    assert other.instance("SEG") != UIDS.instance("SEG")
    assert other.report() != UIDS.report()
    assert other.tracking(7) == UIDS.tracking(7)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (T2, None),
        (None, FLAIR),
        (FLAIR, T2),
        (T2, T2),
        (T2, further(3, instance(30))),
        (T2, further(3, instance(30), instance(31, "11"))),
        (T2, further(4, instance(30), instance(31))),
    ],
    ids=["alone", "no FLAIR", "no T2", "exchanged", "twice", "fewer instances", "other bytes", "another series"],
)
def test_every_channel_is_part_of_the_answer(others: tuple[SeriesRevision | None, ...]) -> None:
    """What a further channel was given can change the answer, and so can its absence; the finding stays the same."""
    other = OutputUIDs.derive(ModelInputs(SERIES, others), MODEL)
    assert other.report() != TOGETHER.report()
    assert other.tracking(7) == TOGETHER.tracking(7)


def test_tracking_belongs_to_series_model_and_label() -> None:
    """Another series, another model or another label is another finding."""
    other_series = replace(SERIES, series_instance_uid=UID("1.2.9"))
    others = {
        OutputUIDs.derive(ModelInputs(other_series), MODEL).tracking(7),
        OutputUIDs.derive(ModelInputs(SERIES), replace(MODEL, model_id="heart")).tracking(7),
        UIDS.tracking(8),
        UIDS.tracking(7),
    }
    assert len(others) == 4


def test_every_identifier_differs() -> None:
    """No two things of one answer share a UID, and all obey the grammar of PS3.5 section 9.1."""
    made = [
        UIDS.series("SEG"), UIDS.series("SR"), UIDS.instance("SEG"), UIDS.instance("SR"), UIDS.report(),
        UIDS.other("dimension organization"), UIDS.other("device"), *(UIDS.tracking(value) for value in range(1, 18)),
    ]  # fmt: skip
    assert len(set(made)) == len(made)
    assert all(UID(uid).startswith("2.25.") for uid in made)


def test_parts_do_not_run_together() -> None:
    """Moving a character from one part to the next makes another UID."""
    one = OutputUIDs.derive(ModelInputs(SERIES), replace(MODEL, model_id="brain1", version="1.0.0"))
    two = OutputUIDs.derive(ModelInputs(SERIES), replace(MODEL, model_id="brain", version="11.0.0"))
    assert one.report() != two.report()

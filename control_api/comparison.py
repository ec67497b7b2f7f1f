"""What changed since the previous study of the same patient: volumes of one model, structure by structure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from control_api.queries import ReadModel
from control_api.records import Result, StudyView
from inference.domain.identifiers import UID


class NoPrior(StrEnum):
    """Why a result is compared with nothing."""

    NO_PATIENT_ID = "no_patient_id"
    """The study names no patient."""
    NO_STUDY_DATE = "no_study_date"
    """It has no date, so nothing is known to be earlier."""
    NOT_SEEN = "not_seen"
    """This node has no earlier result of the model for this patient; an archive may have the images."""


@dataclass(frozen=True, slots=True)
class StructureChange:
    """A structure then and now.

    Parameters
    ----------
    label, code, laterality, unit
        As in the result, the present one's where both have it.
    prior, current
        Its volume; None where it was looked for and not found, or not looked for.
    """

    label: str
    code: str
    laterality: str | None
    unit: str
    prior: float | None
    current: float | None

    @property
    def change(self) -> float | None:
        """By how much it grew."""
        return None if self.prior is None or self.current is None else round(self.current - self.prior, 3)

    @property
    def change_percent(self) -> float | None:
        """The same, of what it was."""
        return None if self.change is None or not self.prior else round(100 * self.change / self.prior, 2)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A result beside the previous one of the same model.

    Parameters
    ----------
    current
        The result.
    prior
        The previous one; None where there is none.
    reason
        Why there is none.
    """

    current: Result
    prior: Result | None
    reason: NoPrior | None = None

    @property
    def interval_days(self) -> int | None:
        """Days between the two studies."""
        then, now = (None if one is None else study_date(one.study) for one in (self.prior, self.current))
        return None if then is None or now is None else (now - then).days

    @property
    def name_agrees(self) -> bool | None:
        """Whether both studies name the patient alike: numbers are given twice, above all by two hospitals."""
        return None if self.prior is None else _name(self.prior.study) == _name(self.current.study)

    @property
    def same_version(self) -> bool | None:
        """Whether the very same model said both: another version may measure otherwise."""
        return None if self.prior is None else self.prior.job.model == self.current.job.model

    @property
    def structures(self) -> tuple[StructureChange, ...]:
        """All structures of either, those of the present result first; none where there is no previous one."""
        return () if self.prior is None else tuple(_changes(self.prior.job.result, self.current.job.result))


def compare(queries: ReadModel, study_uid: UID) -> list[Comparison]:
    """Compare every result of a study that stands with the previous one, oldest first.

    Parameters
    ----------
    queries
        The read side.
    study_uid
        The study.

    Raises
    ------
    StudyNotFound
        If it is not on this node.
    """
    return [_compared(queries, current) for current in queries.standing_results(study_uid)]


def study_date(study: StudyView) -> date | None:
    """Read a study's date; None where it has none (PS3.5 section 6.2)."""
    try:
        return datetime.strptime(study.study_date, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _compared(queries: ReadModel, current: Result) -> Comparison:
    if not current.study.patient_id:
        return Comparison(current, None, NoPrior.NO_PATIENT_ID)
    if study_date(current.study) is None:
        return Comparison(current, None, NoPrior.NO_STUDY_DATE)
    found = [prior for prior in queries.earlier_results(current) if study_date(prior.study) is not None]
    if not found:
        return Comparison(current, None, NoPrior.NOT_SEEN)
    return Comparison(current, _most_alike(found, current))


def _most_alike(found: Sequence[Result], current: Result) -> Result:
    """Choose from the latest study the series that is called like this one, else what was analysed last."""
    latest = [prior for prior in found if prior.study.study_uid == found[0].study.study_uid]
    alike = [prior for prior in latest if prior.series_description == current.series_description]
    return (alike or latest)[0]


def _name(study: StudyView) -> str:
    """Spell a name so that blanks, letter case and empty components do not matter."""
    return study.patient_name.upper().replace(" ", "").rstrip("^=")


_Key = tuple[str, str | None, str]
_VOLUME: Final = "Volume"


def _changes(prior: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[StructureChange]:
    then, now = _volumes(prior), _volumes(current)
    then = [_sided(one, now) for one in then]
    several = _several(then) | _several(now)
    before, after = ({_key(one, several): one for one in volumes} for volumes in (then, now))
    for key in dict.fromkeys((*after, *before)):
        said = after.get(key) or before[key]
        names = (said["label"], said["code"], said.get("laterality"), said["unit"])
        yield StructureChange(*names, _value(before.get(key)), _value(after.get(key)))


def _volumes(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in result.get("measurements", []) if one.get("quantity", _VOLUME) == _VOLUME]


def _sided(volume: Mapping[str, Any], now: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Give a volume of a result that was kept before sides were the side of the present one of its name."""
    if "laterality" in volume:
        return volume
    names = (volume["code"], volume["label"])
    return {
        **volume,
        "laterality": next((o.get("laterality") for o in now if (o["code"], o["label"]) == names), None),
    }


def _several(volumes: Sequence[Mapping[str, Any]]) -> set[tuple[str, str | None]]:
    """List the codes and sides of which a result has several structures."""
    counts = Counter((one["code"], one.get("laterality")) for one in volumes)
    return {key for key, count in counts.items() if count > 1}


def _key(volume: Mapping[str, Any], several: Collection[tuple[str, str | None]]) -> _Key:
    """Name what was measured by code and side, and by name too where that is not enough."""
    code, side = volume["code"], volume.get("laterality")
    return code, side, volume["label"] if (code, side) in several else ""


def _value(volume: Mapping[str, Any] | None) -> float | None:
    return None if volume is None else float(volume["value"])

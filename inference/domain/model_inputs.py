"""What a model is given: a series for each of its channels."""

from __future__ import annotations

from dataclasses import dataclass

from inference.domain.study import SeriesRevision


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The series of one run, in the order of the model's channels.

    Parameters
    ----------
    reference
        The series of the first channel: results lie on its grid and are filed in its study.
    others
        Of the further channels; None marks an optional channel that the study lacks.

    Raises
    ------
    ValueError
        If a series is of another study.
    """

    reference: SeriesRevision
    others: tuple[SeriesRevision | None, ...] = ()

    def __post_init__(self) -> None:
        if len({series.study_instance_uid for series in self.series}) != 1:
            raise ValueError("the channels of a run come from one study")

    @property
    def series(self) -> tuple[SeriesRevision, ...]:
        """The series that are there, the reference first; one that serves two channels is there twice."""
        return (self.reference, *(series for series in self.others if series is not None))

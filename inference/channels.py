"""Which series of a study serves which channel of a model: a pure decision.

A study often holds several series that a channel would take, and a series may be wanted by several channels. Each
series serves one channel, and as many channels are served as can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ChannelSpec
from inference.domain.series_header import SeriesHeader
from inference.domain.study import SeriesRevision
from inference.errors import IncompleteSeries, ReasonCode
from inference.selection import best_stack, fits, stack_rank


@dataclass(frozen=True, eq=False)
class Candidate:
    """A series of the study that was declared complete, and what it says about itself."""

    series: SeriesRevision
    header: SeriesHeader


@dataclass(frozen=True, eq=False)
class Assignment:
    """The series of each channel.

    Parameters
    ----------
    channels
        The model's channels.
    series
        For each the series that serves it, or None.
    """

    channels: tuple[ChannelSpec, ...]
    series: tuple[SeriesRevision | None, ...]

    @property
    def found(self) -> tuple[str, ...]:
        """Names of the channels that have a series."""
        return tuple(channel.name for channel, series in self._pairs if series is not None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the channels that have none, optional ones too."""
        return tuple(channel.name for channel, series in self._pairs if series is None)

    def inputs(self) -> ModelInputs:
        """Give what the model is run on.

        Raises
        ------
        IncompleteSeries
            CHANNEL_MISSING if a channel without which the model cannot run has no series.
        """
        lacking = [channel.name for channel, series in self._pairs if series is None and channel.required]
        reference = self.series[0]
        if lacking or reference is None:
            found = f"; found: {', '.join(self.found)}" if self.found else ""
            raise IncompleteSeries(ReasonCode.CHANNEL_MISSING, f"the study has no {', no '.join(lacking)}{found}")
        return ModelInputs(reference, self.series[1:])

    @property
    def _pairs(self) -> list[tuple[ChannelSpec, SeriesRevision | None]]:
        return list(zip(self.channels, self.series, strict=True))


def assign(channels: Sequence[ChannelSpec], candidates: Sequence[Candidate]) -> Assignment:
    """Give each channel the best series that fits it.

    The best has the most slices, then the thinnest ones, then the lowest UID, so that the same study is always
    answered alike. Channels choose in turn, required ones first. Where every choice of a channel is taken, one is
    handed over by a channel that has another to go to (augmenting paths, H. W. Kuhn 1955): none goes without because
    of the order in which they chose.

    Parameters
    ----------
    channels
        A model's channels.
    candidates
        The complete series of one study.
    """
    wishes = [_wishes(channel, candidates) for channel in channels]
    taken: dict[int, int] = {}
    for number in sorted(range(len(channels)), key=lambda number: not channels[number].required):
        _choose(number, wishes, taken, set())
    chosen = {channel: candidates[candidate].series for candidate, channel in taken.items()}
    return Assignment(tuple(channels), tuple(chosen.get(number) for number in range(len(channels))))


def _wishes(channel: ChannelSpec, candidates: Sequence[Candidate]) -> list[int]:
    """List the candidates that fit a channel, best first."""

    def rank(number: int) -> tuple[int, float, str]:
        stack = best_stack(candidates[number].header, channel.selection)
        return *stack_rank(stack), candidates[number].series.series_instance_uid

    fitting = (number for number, found in enumerate(candidates) if fits(found.header, channel.selection))
    return sorted(fitting, key=rank)


def _choose(channel: int, wishes: Sequence[Sequence[int]], taken: dict[int, int], asked: set[int]) -> bool:
    """Let a channel take a candidate (``taken``: candidate to channel); False if it must go without."""
    free = next((wish for wish in wishes[channel] if wish not in taken), None)
    if free is not None:
        taken[free] = channel
        return True
    for wish in wishes[channel]:
        if wish not in asked:
            asked.add(wish)
            if _choose(taken[wish], wishes, taken, asked):
                taken[wish] = channel
                return True
    return False

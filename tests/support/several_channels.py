"""Models that want several series of a study."""

from __future__ import annotations

from dataclasses import replace

from inference.domain.model_spec import ChannelSpec, IntensitySpec, ModelSpec, Normalisation, SelectionRule, Weighting


def channel(name: str, weighting: Weighting | None, *, required: bool = True) -> ChannelSpec:
    """Make a channel for head MR of one contrast."""
    rule = SelectionRule("MR", weighting, (), frozenset({"HEAD"}), 10, 6.0)
    return ChannelSpec(name, rule, IntensitySpec(Normalisation.NONE), required)


def with_channels(spec: ModelSpec, **wanted: Weighting) -> ModelSpec:
    """Give a model required channels of these names and contrasts, in this order, instead of its own."""
    return replace(spec, channels=tuple(channel(name, weighting) for name, weighting in wanted.items()))

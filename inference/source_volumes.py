"""The series of a run as volumes, one for each of the model's channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.decoder_pool import DecoderSupply
from inference.domain.charsets import CharacterSets
from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ChannelSpec, ModelSpec, Registration, SliceRule
from inference.domain.volume import Volume
from inference.errors import IncompleteSeries, ReasonCode
from inference.headers import InstanceHeader, read_headers
from inference.reading import describe
from inference.registration import register
from inference.selection import best_stack
from inference.volume_builder import build_volume


@dataclass(frozen=True, eq=False)
class Sources:
    """What was read.

    Parameters
    ----------
    headers
        Headers of the instances of each series, by Series Instance UID.
    volumes
        Modality values for each channel, where the headers say that they lie; None for a missing optional channel.
        Channels that are given the same share one.
    """

    headers: Mapping[UID, Sequence[InstanceHeader]]
    volumes: tuple[Volume | None, ...]

    @property
    def reference(self) -> Volume:
        """The volume of the first channel, which is always there."""
        reference = self.volumes[0]
        assert reference is not None  # noqa: S101 - ModelInputs has a reference
        return reference


@dataclass(frozen=True, eq=False)
class ChannelVolumes:
    """What the model's channels are given.

    Parameters
    ----------
    volumes
        In the order of the channels, laid on the first; None for a missing optional channel.
    warnings
        What a reader of the result should know of them.
    """

    volumes: tuple[Volume | None, ...]
    warnings: tuple[str, ...]


def read_sources(
    inputs: ModelInputs, spec: ModelSpec, charsets: CharacterSets, decoders: DecoderSupply | None = None
) -> Sources:
    """Read every series of a run: for each channel the stack, the echo and the time point that it asks for.

    Parameters
    ----------
    inputs
        The series of each channel.
    spec
        The model.
    charsets
        What is assumed where a header names no character set.
    decoders
        Where children for compressed frames come from.

    Raises
    ------
    IncompleteSeries, UnsupportedGeometry, UnsupportedPixelData
        The first series that is no volume.
    """
    series = {one.series_instance_uid: one for one in inputs.series}
    headers = {uid: read_headers(one.instances, charsets.of(one.calling_ae)) for uid, one in series.items()}
    described = {uid: describe(each) for uid, each in headers.items()}
    built: dict[tuple[UID, str, SliceRule], Volume] = {}
    volumes: list[Volume | None] = []
    for channel, one in zip(spec.channels, (inputs.reference, *inputs.others), strict=True):
        if one is None:
            volumes.append(None)
            continue
        uid, rule = one.series_instance_uid, channel.selection.slices
        stack = best_stack(described[uid], channel.selection).name
        if (uid, stack, rule) not in built:
            built[uid, stack, rule] = build_volume(headers[uid], rule, stack, decoders)
        volumes.append(built[uid, stack, rule])
    return Sources(headers, tuple(volumes))


def channel_volumes(sources: Sources, spec: ModelSpec) -> ChannelVolumes:
    """Give each channel its volume, laid on the first where the model wants that.

    Raises
    ------
    IncompleteSeries
        CHANNEL_MISSING if a required channel has no series.
    UnsupportedGeometry
        REGISTRATION if a volume cannot be laid on the first.
    """
    reference = sources.reference
    placed = {id(reference): reference}
    volumes: list[Volume | None] = [reference]
    warnings = list(reference.warnings)
    for channel, volume in zip(spec.channels[1:], sources.volumes[1:], strict=True):
        if volume is None:
            warnings.append(_goes_without(channel))
            volumes.append(None)
            continue
        if id(volume) not in placed:
            placed[id(volume)], remarks = _lay_on(reference, volume, spec)
            warnings += (f"{channel.name}: {remark}" for remark in remarks)
        volumes.append(placed[id(volume)])
    return ChannelVolumes(tuple(volumes), tuple(warnings))


def _goes_without(channel: ChannelSpec) -> str:
    if channel.required:
        raise IncompleteSeries(ReasonCode.CHANNEL_MISSING, f"the model needs {channel.name}, and there is none")
    return f"{channel.name}: The study has no such series; the model ran without it."


def _lay_on(reference: Volume, volume: Volume, spec: ModelSpec) -> tuple[Volume, tuple[str, ...]]:
    if spec.preprocess.registration is Registration.NONE:
        return volume, volume.warnings
    registered = register(volume, reference)
    motion = registered.motion
    moved = (
        f"Moved by {motion.shift_mm:.1f} mm and turned by {motion.turn_deg:.1f}° to lie on {spec.channels[0].name}."
    )
    return registered.volume, (*volume.warnings, moved)

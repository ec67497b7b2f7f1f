"""The series of a run as volumes, one for each of the model's channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ChannelSpec, ModelSpec, Registration
from inference.domain.volume import Volume
from inference.errors import IncompleteSeries, ReasonCode
from inference.reading import read_headers
from inference.registration import register
from inference.volume_builder import build_volume


@dataclass(frozen=True, eq=False)
class Sources:
    """What was read, by Series Instance UID; a series that serves two channels is read once.

    Parameters
    ----------
    headers
        Headers of the instances of each series.
    volumes
        Modality values, where the headers say that they lie.
    """

    headers: Mapping[UID, Sequence[Dataset]]
    volumes: Mapping[UID, Volume]


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


def read_sources(inputs: ModelInputs) -> Sources:
    """Read every series of a run.

    Raises
    ------
    IncompleteSeries, UnsupportedGeometry, UnsupportedPixelData
        The first series that is no volume.
    """
    series = {one.series_instance_uid: one for one in inputs.series}
    headers = {uid: read_headers(one.instances) for uid, one in series.items()}
    return Sources(headers, {uid: build_volume(one, headers[uid]) for uid, one in series.items()})


def channel_volumes(inputs: ModelInputs, sources: Sources, spec: ModelSpec) -> ChannelVolumes:
    """Give each channel its volume, laid on the first where the model wants that.

    Raises
    ------
    IncompleteSeries
        CHANNEL_MISSING if a required channel has no series.
    UnsupportedGeometry
        REGISTRATION if a volume cannot be laid on the first.
    """
    reference = sources.volumes[inputs.reference.series_instance_uid]
    placed = {inputs.reference.series_instance_uid: reference}
    volumes: list[Volume | None] = [reference]
    warnings = list(reference.warnings)
    for channel, series in zip(spec.channels[1:], inputs.others, strict=True):
        if series is None:
            warnings.append(_goes_without(channel))
            volumes.append(None)
            continue
        uid = series.series_instance_uid
        if uid not in placed:
            placed[uid], remarks = _lay_on(reference, sources.volumes[uid], spec)
            warnings += (f"{channel.name}: {remark}" for remark in remarks)
        volumes.append(placed[uid])
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

"""Pictures of a series with what was found in it, from the preview that a worker kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_api.records import JobView
from control_api.services import Services
from inference.domain.identifiers import UID, JobID
from inference.encoding.preview_file import Header, PreviewFile, Structure
from inference.encoding.preview_picture import View, draw
from inference.errors import PreviewNotFound, StoreUnavailable

DEFAULT: Final = "default"
FULL: Final = "full"

CT_WINDOWS: Final[Mapping[str, tuple[float, float]]] = {
    "brain": (0.0, 80.0),
    "subdural": (-20.0, 180.0),
    "soft tissue": (-160.0, 240.0),
    "lung": (-1350.0, 150.0),
    "bone": (-500.0, 1500.0),
}
"""What radiologists look at a CT with; lowest and highest value, HU."""


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """A window that is offered.

    Parameters
    ----------
    name
        By which it is asked for.
    low, high
        The values that are black and white.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What can be shown of a series.

    Parameters
    ----------
    job
        Whose result it is.
    file
        What was kept of it.
    structures
        What a reader may see drawn: nothing of a result that was withdrawn, of an amended one what is left.
    """

    job: JobView
    file: PreviewFile
    structures: tuple[Structure, ...]

    @property
    def header(self) -> Header:
        """What the file says of itself."""
        return self.file.header

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return self.header.shape[0]

    @property
    def rows(self) -> int:
        """Rows of each."""
        return self.header.shape[1]

    @property
    def columns(self) -> int:
        """Columns of each."""
        return self.header.shape[2]

    @property
    def interpolated(self) -> tuple[int, ...]:
        """1-based numbers of the slices that the source lacks."""
        return tuple(index + 1 for index in self.header.interpolated)

    @property
    def windows(self) -> tuple[NamedWindow, ...]:
        """The windows that are offered, the one to begin with first."""
        header = self.header
        usual = [NamedWindow(name, *span) for name, span in CT_WINDOWS.items() if header.modality == "CT"]
        return (NamedWindow(DEFAULT, *header.window), *usual, NamedWindow(FULL, header.low, header.high))


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """How a slice is wanted.

    Parameters
    ----------
    overlay
        Whether structures are drawn on it.
    structures
        Numbers of those that are; None for all.
    window
        Name of a window, or its lowest and highest value.
    """

    overlay: bool = True
    structures: frozenset[int] | None = None
    window: str | tuple[float, float] = DEFAULT


@dataclass(frozen=True, slots=True)
class Picture:
    """A slice that can be drawn.

    Parameters
    ----------
    tag
        Another one for every other picture.
    draw
        Draws it.
    """

    tag: str
    draw: Callable[[], bytes]


def find(given: Services, study_uid: UID, series_uid: UID, job_id: JobID | None = None) -> Preview:
    """Find what can be shown of a series: of its latest job that has a preview, or of a given one.

    Raises
    ------
    PreviewNotFound
        If there is nothing.
    StoreUnavailable
        If it cannot be read.
    """
    for job in given.queries.results_of(study_uid, series_uid):
        path = given.previews.find(job.job_id) if job_id in (None, job.job_id) else None
        if path is not None:
            file = _opened(path)
            return Preview(job, file, _seen(job, file.header))
    raise PreviewNotFound("there is no preview of this series")


def picture(preview: Preview, number: int, order: PictureOrder) -> Picture:
    """Give a slice as it is wanted.

    Parameters
    ----------
    preview
        Of its series.
    number
        Which slice, counted from 1.
    order
        How it is wanted.

    Raises
    ------
    PreviewNotFound
        If there is no such slice or no window of that name.
    """
    if not 1 <= number <= preview.header.shape[0]:
        raise PreviewNotFound("the series has no such slice")
    wanted = {one.number for one in preview.structures} if order.overlay else set()
    shown = sorted(wanted if order.structures is None else wanted & order.structures)
    view = View(number - 1, _window(preview, order.window), shown)
    facts = (preview.job.job_id, preview.file.edition, view)
    return Picture(hashlib.sha256(repr(facts).encode()).hexdigest()[:32], lambda: draw(preview.file, view))


def _seen(job: JobView, header: Header) -> tuple[Structure, ...]:
    if job.withdrawn is not None:
        return ()
    gone = {uid for review in job.reviews for uid in review.excluded}
    return tuple(one for one in header.structures if one.tracking_uid not in gone)


def _window(preview: Preview, wanted: str | tuple[float, float]) -> tuple[float, float]:
    if not isinstance(wanted, str):
        return wanted
    for window in preview.windows:
        if window.name == wanted:
            return window.low, max(window.high, window.low + 1e-6)
    raise PreviewNotFound("the series has no window of that name")


def _opened(path: Path) -> PreviewFile:
    try:
        return PreviewFile(path)
    except FileNotFoundError as error:
        raise PreviewNotFound("the preview was removed") from error
    except OSError as error:
        raise StoreUnavailable(f"the preview cannot be read ({type(error).__name__})") from error

"""Which files there are: read once, and followed by the times of the folders they lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from inference.ports import Clock
from integrations.local_archive.entries import Entry, read_entry

SETTLED_NS: Final = 2_000_000_000
"""A folder that changed within two seconds of being listed is listed again: file systems count time in ticks."""

Stamp = tuple[int, int]
"""Time of change in nanoseconds and size of a file."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """A folder of a series as it was listed.

    Parameters
    ----------
    changed_ns
        Its time of change then.
    settled
        Whether a later change must have another time.
    files
        Stamp and entry of each file; the entry is None where the file cannot be read.
    """

    changed_ns: int
    settled: bool
    files: Mapping[str, tuple[Stamp, Entry | None]]


@dataclass(frozen=True, slots=True)
class Series:
    """A series with its files, none empty; of several with one SOP Instance UID the newest."""

    entries: Mapping[str, Entry]

    @property
    def first(self) -> Entry:
        """Whose attributes speak for all."""
        return next(iter(self.entries.values()))


Studies = Mapping[str, Mapping[str, Series]]
"""Series by Series Instance UID, by Study Instance UID."""


@dataclass
class FolderIndex:
    """An index of ``<root>/<study>/<series>/*.dcm``, which is how the spool and the folder archive keep instances.

    What the folders are called does not matter; only what stands in the files does. Safe for threads.

    Parameters
    ----------
    roots
        Folders; they need not exist yet.
    clock
        To tell whether a folder has just changed.
    charset
        Specific Character Set to assume of files that name none.
    """

    roots: Sequence[Path]
    clock: Clock
    charset: str
    _listings: dict[Path, _Listing] = field(default_factory=dict, init=False)
    _studies: Studies = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def studies(self) -> Studies:
        """Give all that is there now; only folders that changed are looked into."""
        with self._lock:
            found = {folder: self._list(folder) for folder in self._folders()}
            if found != self._listings:
                self._listings, self._studies = found, _grouped(found)
            return self._studies

    def find(self, study_uid: str, series_uid: str | None = None, instance_uid: str | None = None) -> Sequence[Entry]:
        """Give the files of a study, of one of its series, or one instance of that; nothing where there is none."""
        known = self._studies.get(study_uid, {}).get(series_uid or "")
        if known and instance_uid and instance_uid in known.entries and known.entries[instance_uid].path.exists():
            return [known.entries[instance_uid]]  # the frames of a series are asked for one by one
        series = self.studies().get(study_uid, {})
        wanted = series.values() if series_uid is None else [series[series_uid]] if series_uid in series else []
        entries = [entry for one in wanted for entry in one.entries.values()]
        return [entry for entry in entries if instance_uid is None or entry.instance_uid == instance_uid]

    def _folders(self) -> Iterator[Path]:
        for root in self.roots:
            for study in _subfolders(root):
                yield from _subfolders(study)

    def _list(self, folder: Path) -> _Listing:
        known = self._listings.get(folder)
        try:
            changed_ns = folder.stat().st_mtime_ns
            if known is not None and known.settled and known.changed_ns == changed_ns:
                return known
            settled = int(self.clock.now().timestamp() * 1e9) - changed_ns > SETTLED_NS
            return _Listing(changed_ns, settled, self._files(folder, known.files if known else {}))
        except OSError:  # it was removed meanwhile
            return _Listing(0, False, {})

    def _files(
        self, folder: Path, known: Mapping[str, tuple[Stamp, Entry | None]]
    ) -> dict[str, tuple[Stamp, Entry | None]]:
        files = {}
        for path in sorted(folder.glob("*.dcm")):
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            before = known.get(path.name)
            same = before is not None and before[0] == stamp
            files[path.name] = before if before and same else (stamp, read_entry(path, self.charset))
        return files


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:  # not there yet, or not any more
        return []


def _grouped(listings: Mapping[Path, _Listing]) -> Studies:
    """Group by what the files say; the newest comes last and wins."""
    files = [file for listing in listings.values() for file in listing.files.values()]
    studies: dict[str, dict[str, dict[str, Entry]]] = {}
    for _, entry in sorted(files, key=lambda file: file[0]):
        if entry is not None:
            series = studies.setdefault(entry.study_uid, {}).setdefault(entry.series_uid, {})
            series[entry.instance_uid] = entry
    return {
        study_uid: {series_uid: Series(entries) for series_uid, entries in series.items()}
        for study_uid, series in studies.items()
    }

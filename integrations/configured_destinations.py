"""Where results go, whichever way the settings say it: a file of destinations, one archive, or a folder."""

from __future__ import annotations

from typing import Final

from inference.domain.artifact import ArtifactKind
from inference.domain.delivery import USUAL_KINDS, Wanted
from integrations.destinations import (
    Confirmed,
    Destination,
    DIMSEAddress,
    FolderAddress,
    load_destinations,
)
from integrations.http_login import Login
from integrations.settings import Settings

IN_A_FOLDER: Final = USUAL_KINDS | {ArtifactKind.SC, ArtifactKind.PDF}
"""What the folder of a node without an archive takes: whoever looks into it has no viewer for the rest."""


def configured_destinations(settings: Settings) -> tuple[Destination, ...]:
    """Give the destinations in their order; there is always one, and reports wait for the first.

    Parameters
    ----------
    settings
        The node's.

    Raises
    ------
    ConfigurationError
        If the file of destinations is not valid.
    """
    if settings.destinations is not None:
        return load_destinations(settings.destinations)
    if settings.archive is None:
        folder = FolderAddress(settings.archive_dir)
        return (Destination("folder", folder, Wanted(IN_A_FOLDER), Confirmed.READ_BACK, notes=settings.notes),)
    rest = settings.archive_rest_url
    address = DIMSEAddress(settings.archive, rest_url=rest)
    confirmed = Confirmed.QUERY if rest is None else Confirmed.READ_BACK
    login = None
    if settings.archive_rest_user:
        login = Login(settings.archive_rest_user, settings.archive_rest_password.get_secret_value())
    return (Destination("archive", address, confirmed=confirmed, notes=settings.notes, login=login),)

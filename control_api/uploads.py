"""Taking in a model package: to disk as it comes, then looked over as any package is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shutil
from pathlib import Path
from typing import Final

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from control_api.model_cards import ModelDetail, detail, version_of
from control_api.model_decisions import order_verification, places
from control_api.services import Services
from inference.errors import ModelContractViolated, PackageRefused, StoreUnavailable, WeightsMismatch
from models.installation import add_package
from models.package_files import PackageLimits

MEDIA_TYPES: Final = (
    "application/zip",
    "application/x-zip-compressed",
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-xz",
    "application/x-bzip2",
    "application/octet-stream",
)
"""What a package may be sent as; what it is, its bytes say."""

_CHUNK_BYTES: Final = 1 << 20
_DIGEST: Final = re.compile(r"(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]*):")
"""The SHA-256 in a Content-Digest (RFC 9530 section 2); other algorithms are passed over, as it says."""


def take(given: Services, actor: str, request: Request) -> tuple[ModelDetail, bool]:
    """Keep the package in the body of a request, and ask for a look at it; it does not run yet.

    Parameters
    ----------
    given
        The API's services.
    actor
        Who sends it.
    request
        Its body is read once, piece by piece.

    Returns
    -------
    detail : ModelDetail
        The version.
    added : bool
        False if the very same package is here already.

    Raises
    ------
    PackageRefused
        If it is not in order, with every fault.
    ModelRecalled, DeploymentRefused, StoreUnavailable
        If this node cannot take it.
    """
    _check_media_type(request)
    request.max_content_length = given.models.upload_bytes
    limits = PackageLimits(size_bytes=2 * given.models.upload_bytes)
    try:
        with given.models.store.staging() as folder:
            archive = folder / "package"
            _receive(request, archive, given.node.reserve_bytes)
            spec, added = add_package(places(given, actor), given.models.store, archive, limits)
    except (ModelContractViolated, WeightsMismatch) as error:
        raise PackageRefused(getattr(error, "faults", ()) or (error.message,)) from error
    reference = spec.reference
    here = version_of(given.models, reference.model_id, reference.version)
    order_verification(given, actor, here)
    return detail(given.models, reference.model_id, reference.version), added


def _check_media_type(request: Request) -> None:
    if request.mimetype and request.mimetype not in MEDIA_TYPES:
        raise UnsupportedMediaType("send the archive itself, as application/zip or application/x-tar")


def _receive(request: Request, target: Path, reserve_bytes: int) -> None:
    """Write what comes; a body that is cut off or too long ends in an error of the server's own."""
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        while chunk := request.stream.read(_CHUNK_BYTES):
            _leave_room(target.parent, reserve_bytes + len(chunk))
            digest.update(chunk)
            size += file.write(chunk)
    _leave_room(target.parent, reserve_bytes + size)  # unpacked it is about as large: weights hardly shrink
    stated = _DIGEST.search(request.headers.get("Content-Digest", ""))
    if stated is not None and not _is(digest.digest(), stated.group(1)):
        raise PackageRefused(["the bytes that arrived are not those of Content-Digest: send it again"])


def _leave_room(folder: Path, bytes_wanted: int) -> None:
    """Refuse what would take the room without which no images are received."""
    if shutil.disk_usage(folder).free < bytes_wanted:
        raise StoreUnavailable("the disk has too little room for a package")


def _is(digest: bytes, encoded: str) -> bool:
    try:
        return base64.b64decode(encoded, validate=True) == digest
    except binascii.Error:
        return False

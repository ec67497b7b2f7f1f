"""The folders as a server behind the gateway: the same questions as to a real archive, answered here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import chain
from typing import Final
from urllib.parse import parse_qsl

from pydicom.tag import Tag

from inference.errors import NodeError
from inference.ports import UIDSource
from integrations.dicomweb.resources import Resource, Service, parse
from integrations.local_archive import multipart, retrieval, search
from integrations.local_archive.entries import Attributes, Entry
from integrations.local_archive.index import FolderIndex
from integrations.local_archive.retrieval import Part
from integrations.upstream.exchange import Answer, Call

DICOM_JSON: Final = "application/dicom+json"
_OCTETS: Final = "application/octet-stream"


class FolderServer:
    """A DICOMweb server over folders; it takes nothing in, as images come by DICOM.

    Parameters
    ----------
    index
        What there is.
    uid_source
        Makes boundaries that no content holds.
    """

    name = "archive folder"
    base_url = ""

    def __init__(self, index: FolderIndex, uid_source: UIDSource) -> None:
        self._index = index
        self._uids = uid_source

    def send(self, call: Call) -> Answer:
        """Answer a call as an archive would; what cannot be answered is 4xx."""
        resource = parse(call.path.removeprefix("/"))
        if resource is None:
            return _refusal(HTTPStatus.NOT_FOUND, "There is no such resource.")
        if call.method not in {"GET", "HEAD"}:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This archive takes nothing in; send by DICOM.")
        try:
            return self._search(resource, call) if resource.is_search else self._retrieve(resource, call)
        except (ValueError, OverflowError):
            return _refusal(HTTPStatus.BAD_REQUEST, "The search cannot be understood.")
        except NodeError as error:  # a file that is damaged, or was removed meanwhile
            return _refusal(HTTPStatus.NOT_ACCEPTABLE, error.message)

    def _search(self, resource: Resource, call: Call) -> Answer:
        query = search.parse(parse_qsl(call.query))
        found = self._index.studies()
        chosen = {resource.study_uid: found.get(resource.study_uid, {})} if resource.study_uid else found
        series = [
            one for of_study in chosen.values() for uid, one in of_study.items() if resource.series_uid in {None, uid}
        ]
        if resource.service is Service.STUDIES:
            return _json(search.studies(found, query))
        level = search.series if resource.service is Service.SERIES else search.instances
        return _json(level(series, query))

    def _retrieve(self, resource: Resource, call: Call) -> Answer:
        entries = self._index.find(str(resource.study_uid), resource.series_uid, resource.instance_uid)
        if not entries:
            return _refusal(HTTPStatus.NOT_FOUND, "The archive has no such object.")
        if resource.service is Service.OBJECTS:
            return self._multipart("application/dicom", (retrieval.file_part(entry) for entry in entries))
        if resource.service is Service.METADATA:
            chunks = retrieval.metadata(entries, self._index.charset, call.public_base)
            return Answer(HTTPStatus.OK, [("content-type", DICOM_JSON)], chunks)
        return self._part_of(entries[0], resource, call)

    def _part_of(self, entry: Entry, resource: Resource, call: Call) -> Answer:
        if resource.service is Service.FRAMES:
            return self._frames(entry, [int(number) for number in resource.detail.split(",")])
        if resource.service is Service.BULK and "/" not in resource.detail:
            return self._bulk(entry, resource.detail, call)
        return _refusal(HTTPStatus.NOT_FOUND, "This archive does not render.")

    def _frames(self, entry: Entry, numbers: Sequence[int]) -> Answer:
        parts = retrieval.frame_parts(entry, numbers, self._index.charset)
        first = next(parts)  # so that what is damaged is refused before anything is said
        return self._multipart(first.content_type.partition(";")[0], chain([first], parts))

    def _bulk(self, entry: Entry, tag: str, call: Call) -> Answer:
        value = retrieval.bulk_data(entry, Tag(int(tag, 16)), self._index.charset)
        if value is None:
            return _refusal(HTTPStatus.NOT_FOUND, "The object has no such bulk data.")
        accepted = next((value for name, value in call.headers.items() if name.lower() == "accept"), "")
        if _OCTETS in accepted and "multipart/" not in accepted:
            fields = [("content-type", _OCTETS), ("content-length", str(len(value)))]
            return Answer(HTTPStatus.OK, fields, iter([value]))
        return self._multipart(_OCTETS, [Part(_OCTETS, [value])])

    def _multipart(self, media_type: str, parts: Iterable[Part]) -> Answer:
        boundary = self._uids.token()
        fields = [("content-type", multipart.content_type(media_type, boundary))]
        return Answer(HTTPStatus.OK, fields, multipart.written(parts, boundary))


def _json(rows: Sequence[Attributes]) -> Answer:
    return Answer(HTTPStatus.OK, [("content-type", DICOM_JSON)], iter([json.dumps(rows).encode()]))


def _refusal(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, [("content-type", "text/plain; charset=utf-8")], iter([message.encode()]))

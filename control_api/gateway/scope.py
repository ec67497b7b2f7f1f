"""Searches of somebody who may look at some studies only: narrowed on the way in, looked through on the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from control_api.gateway.refusals import forbidden
from inference.domain.identifiers import UID
from integrations.dicomweb.resources import Resource
from integrations.upstream.exchange import Answer, Trouble, UpstreamTrouble

STUDY_UID: Final = "0020000D"
_NAMES: Final = frozenset({"studyinstanceuid", STUDY_UID.lower()})
LONGEST_RESULT: Final = 64 << 20
"""A list of results is looked through as a whole; pictures never are."""


def check(resource: Resource, query: str, studies: Collection[UID]) -> None:
    """Return where no other study is named, in the path or in the query.

    Raises
    ------
    Refusal
        Otherwise.
    """
    named = set(_named(query)) | ({str(resource.study_uid)} if resource.study_uid else set())
    if not named <= {str(uid) for uid in studies}:
        raise forbidden("this session of the viewer is for other studies")


def narrowed(resource: Resource, query: str, studies: Collection[UID]) -> str:
    """Give the query with which only these studies are found."""
    if resource.study_uid or not resource.is_search or _named(query):
        return query
    return "&".join(
        [*([query] if query else []), urlencode({"StudyInstanceUID": ",".join(sorted(studies))}, safe=",")]
    )


def _named(query: str) -> list[str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    values = [value for name, value in pairs if name.lower() in _NAMES]
    return [uid for value in values for uid in re.split(r"[,\\]", value)]


def looked_through(answer: Answer, resource: Resource, studies: Collection[UID], server: str) -> Answer:
    """Give an answer to a search without what is of other studies, whatever the archive made of the question.

    Raises
    ------
    UpstreamTrouble
        If the answer is no list of results.
    """
    found = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES and answer.status != HTTPStatus.NO_CONTENT
    if not found or not resource.is_search:
        return answer
    try:
        rows = json.loads(answer.read(LONGEST_RESULT) or b"[]")
        allowed = [row for row in rows if _is_of(row, resource, {str(uid) for uid in studies})]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UpstreamTrouble(server, Trouble.FAILED) from error
    headers = [(name, value) for name, value in answer.headers if name != "content-length"]
    return replace(answer, headers=headers, chunks=_written(allowed))


def _is_of(row: dict[str, Any], resource: Resource, studies: Collection[str]) -> bool:
    values = row.get(STUDY_UID, {}).get("Value")
    if not values:
        return resource.study_uid is not None
    return all(value in studies for value in values)


def _written(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    yield json.dumps(rows).encode()

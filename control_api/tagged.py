"""Answering the present request with a document and its tag (RFC 9110 section 8.8.3)."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from flask import Flask, Response, json, request
from marshmallow import Schema

from control_api.changes import Topic
from control_api.documents import tag_of
from control_api.services import services

TAGGED: Final = {
    "ETag": {
        "description": "Send it as `If-None-Match` to be told whether this has changed.",
        "schema": {"type": "string"},
    }
}
"""For descriptions: the header of an answer with a tag."""

UNCHANGED: Final = "Not changed since the answer whose tag was sent as `If-None-Match`."

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask) -> None:
    """Have what a request changed be seen by the next one."""

    def end(response: Response) -> Response:
        """Forget the versions after a request that may have changed something."""
        if request.method not in _SAFE and response.status_code < HTTPStatus.BAD_REQUEST:
            services().documents.forget_versions()
        return response

    app.after_request(end)


def tagged(topic: Topic, schema: type[Schema], read: Callable[[], object]) -> Response:
    """Answer the present request with a document and its tag, or say that the client has it.

    Parameters
    ----------
    topic
        What the document is about.
    schema
        How it is written.
    read
        Gives what is to be written; called only where nothing is kept.
    """

    def make() -> bytes:
        """Write the document."""
        return json.dumps(schema().dump(read())).encode()

    documents = services().documents
    tag, content = documents.tag(topic, _name(), make)
    if request.if_none_match.contains_weak(tag):
        return _labelled(Response(status=HTTPStatus.NOT_MODIFIED), tag)
    content = content or documents.content(tag)
    if content is None:
        content = make()
        tag = tag_of(content)
    return _labelled(Response(content, mimetype="application/json"), tag)


def _labelled(response: Response, tag: str) -> Response:
    """Put the tag on; documents name patients, so no browser or proxy keeps them: the client keeps what it shows."""
    response.set_etag(tag)
    response.headers["Cache-Control"] = "no-store"
    return response


def _name() -> str:
    """Spell what was asked in one way, whatever the order of its parameters."""
    return f"{request.path}?{urlencode(sorted(request.args.items(multi=True)))}"

"""A DICOMweb client of the library that the node keeps, and what its failures mean to us."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset

from inference.errors import PeerRefused, PeerUnavailable
from integrations.http_login import Login

_WORTH_ANOTHER_TRY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def connect(url: str, login: Login | None, timeout_s: float) -> DICOMwebClient:
    """Give a client of a DICOMweb server; nothing is sent yet.

    Parameters
    ----------
    url
        Base address, e.g. ``http://orthanc:8042/dicom-web``.
    login
        Where the server asks for one.
    timeout_s
        Longest wait for the connection, and for each part of an answer.

    Returns
    -------
    DICOMwebClient
        It neither repeats by itself, as the node has back-off of its own, nor follows redirects, which would turn
        POST into GET.
    """
    logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)  # its lines hold UIDs
    session = requests.Session()
    session.max_redirects = 0
    session.headers["Accept"] = "application/dicom+json"
    if login is not None:
        session.auth = (login.user, login.password)
    client = DICOMwebClient(url, session=session, timeout=timeout_s)
    client.set_http_retry_params(retry=False)
    return client


class HTTPRefusal(Exception):
    """The server answered with a status of 4xx; who asked gives it a meaning.

    Parameters
    ----------
    status
        HTTP status.
    body
        What it said about single objects; empty where it said nothing that can be read.
    """

    def __init__(self, status: int, body: Dataset) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the client raises in a ``with`` block into errors of ours.

    Raises
    ------
    PeerUnavailable
        If the server does not answer, answers 408, 429 or 5xx, or with something that is no DICOMweb.
    HTTPRefusal
        If it answers with another 4xx.
    PeerRefused
        If it answers with a redirect, which is a slip in its address.
    """
    try:
        yield
    except requests.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
            raise PeerUnavailable(f"the archive answers {status}") from error
        raise HTTPRefusal(status, _body(error.response)) from error
    except requests.TooManyRedirects as error:
        raise PeerRefused("the archive answers with a redirect") from error
    except requests.RequestException as error:
        raise PeerUnavailable(f"the archive does not answer ({type(error).__name__})") from error
    except Exception as error:
        raise PeerUnavailable(f"the archive gave no DICOMweb answer ({type(error).__name__})") from error


def _body(answer: Any) -> Dataset:
    try:
        return Dataset.from_json(json.loads(answer.content))
    except Exception:  # noqa: BLE001 - a page of a proxy, or JSON that is no data set
        return Dataset()

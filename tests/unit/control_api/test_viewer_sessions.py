"""A cookie opens the pictures of the studies that it names, to whom it was given, for a while, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from control_api.gateway.ports import Gateway, ViewerOptions
from tests.support.control_api import KEY, SERIES, STUDY, ControlAPI
from tests.support.upstream import FakeServer, FakeTrail

OTHER = "1.2.826.0.1.3680043.8.498.99"


def row(study_uid: str) -> dict[str, Any]:
    """Give a result of a search."""
    return {"0020000D": {"vr": "UI", "Value": [study_uid]}}


@pytest.fixture
def archive() -> FakeServer:
    """Give an archive that finds two studies, whatever it is asked."""
    return FakeServer(parts=[json.dumps([row(STUDY), row(OTHER), {}]).encode()])


@pytest.fixture
def trail() -> FakeTrail:
    """Give where accesses are kept."""
    return FakeTrail()


@pytest.fixture
def door(api_with: Callable[..., ControlAPI], archive: FakeServer, trail: FakeTrail) -> ControlAPI:
    """Give the API in front of the archive."""
    return api_with(gateway=Gateway(archive=archive, trail=trail, viewer=ViewerOptions(minutes=10)))


def open_viewer(door: ControlAPI, role: str, *studies: str, **more: str) -> TestResponse:
    """Ask for a session."""
    return door.post("/api/viewer/session", {"studies": list(studies), **more}, role)


def look(door: ControlAPI, path: str = f"/dicom-web/studies/{STUDY}/metadata", **options: Any) -> TestResponse:
    """Ask for pictures as the browser does: without a token, over https, for the cookie is Secure."""
    return door.client.get(path, base_url="https://localhost", **options)


def look_with(door: ControlAPI, cookies: str, path: str = f"/dicom-web/studies/{STUDY}", method: str = "GET") -> Any:
    """Ask with cookies that no browser was given."""
    return door.app.test_client(use_cookies=False).open(path, method=method, headers={"Cookie": cookies})


# --- opening --------------------------------------------------------------------------------------------------------


def test_a_session_is_a_cookie_and_an_address(door: ControlAPI, trail: FakeTrail) -> None:
    """The page's programs cannot read it, no other site can use it, and it goes where pictures are."""
    answer = open_viewer(door, "nurse", str(STUDY), series=str(SERIES))
    assert answer.status_code == 201
    assert answer.json == {
        "url": f"/pacs-viewer/viewer?StudyInstanceUIDs={STUDY}&initialSeriesInstanceUID={SERIES}",
        "expires_at": "2026-01-02T12:10:00+00:00",
    }
    ((name, cookie),) = SimpleCookie(answer.headers["Set-Cookie"]).items()
    assert name.startswith("viewer_session_")
    assert (cookie["path"], cookie["samesite"], cookie["max-age"]) == ("/dicom-web", "Strict", "600")
    assert cookie["httponly"]
    assert cookie["secure"]
    assert not cookie["domain"]
    assert [(one.actor, one.action, one.target) for one in trail.accesses] == [("nurse", "viewer.open", str(STUDY))]


def test_an_embedded_node_is_reached_by_plain_http(api_with: Callable[..., ControlAPI], archive: FakeServer) -> None:
    """A browser keeps no Secure cookie of a page that came by http."""
    door = api_with(gateway=Gateway(archive=archive, viewer=ViewerOptions(secure=False)))
    assert "Secure" not in open_viewer(door, "nurse", str(STUDY)).headers["Set-Cookie"]


@pytest.mark.parametrize("role", ["radiologist", "doctor", "nurse", "technician"])
def test_who_is_no_administrator_names_studies(door: ControlAPI, role: str) -> None:
    """All studies at once are for administrators."""
    answer = open_viewer(door, role)
    assert (answer.status_code, answer.json["code"]) == (403, "gateway.forbidden")
    assert "Set-Cookie" not in answer.headers


def test_programs_have_no_browser(door: ControlAPI) -> None:
    """A service account reads pictures with its token."""
    assert open_viewer(door, "service", str(STUDY)).status_code == 403


@pytest.mark.parametrize(
    "body", [{"studies": ["x"]}, {"studies": [str(STUDY)] * 17}, {"series": "1..2"}, {"more": 1}]
)
def test_what_is_no_order_is_refused(door: ControlAPI, body: dict[str, Any]) -> None:
    """UIDs, and not too many."""
    assert door.post("/api/viewer/session", body, "admin").status_code == 422


def test_a_token_is_needed_to_open_one(door: ControlAPI) -> None:
    """A session does not prolong itself."""
    open_viewer(door, "nurse", str(STUDY))
    assert door.client.post("/api/viewer/session", json={"studies": [str(STUDY)]}).status_code == 401


# --- looking --------------------------------------------------------------------------------------------------------


def test_it_opens_its_study(door: ControlAPI, archive: FakeServer, trail: FakeTrail) -> None:
    """Every address of it; the archive never sees the cookie."""
    open_viewer(door, "nurse", str(STUDY))
    for path in (
        "",
        "/metadata",
        "/series",
        f"/series/{SERIES}/metadata",
        f"/series/{SERIES}/instances/1.2/frames/1",
    ):
        assert look(door, f"/dicom-web/studies/{STUDY}{path}").status_code == 200
    assert all("cookie" not in call.headers for call in archive.calls)
    assert {(one.actor, one.role) for one in trail.accesses} == {("nurse", "nurse")}


@pytest.mark.parametrize(
    "path",
    [
        f"studies/{OTHER}",
        f"studies/{OTHER}/metadata",
        f"studies/{OTHER}/series",
        f"studies/{OTHER}/instances",
        f"studies/{OTHER}/series/{SERIES}/instances/1.2/frames/1",
        f"studies/{OTHER}/series/{SERIES}/instances/1.2/bulk/00420011",
        f"studies?StudyInstanceUID={OTHER}",
        f"studies?0020000d={OTHER}",
        f"series?studyinstanceuid={STUDY},{OTHER}",
        f"instances?StudyInstanceUID={STUDY}%2C{OTHER}",
        f"studies?StudyInstanceUID={STUDY}%5C{OTHER}",
        f"studies?StudyInstanceUID={STUDY}&StudyInstanceUID={OTHER}",
        "studies?StudyInstanceUID=*",
        "studies?StudyInstanceUID=",
    ],
)
def test_it_opens_no_other_study(door: ControlAPI, archive: FakeServer, path: str) -> None:
    """However it is named."""
    open_viewer(door, "doctor", str(STUDY))
    answer = look(door, f"/dicom-web/{path}")
    assert (answer.status_code, answer.json["code"]) == (403, "gateway.forbidden")
    assert archive.calls == []


@pytest.mark.parametrize("status", [200, 203, 206])
@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_a_search_finds_its_studies_only(door: ControlAPI, archive: FakeServer, level: str, status: int) -> None:
    """The question is narrowed, and the answer is looked through, whatever the archive made of the question."""
    archive.status = status
    open_viewer(door, "nurse", str(STUDY))
    answer = look(
        door, f"/dicom-web/{level}?limit=101", headers={"Accept": "multipart/related; type=application/xml"}
    )
    assert json.loads(answer.get_data()) == [row(STUDY)]
    assert archive.last.query == f"limit=101&StudyInstanceUID={STUDY}"
    assert archive.last.headers["accept"] == "application/dicom+json"


def test_a_search_that_finds_nothing_finds_nothing(door: ControlAPI, archive: FakeServer) -> None:
    """As the standard has it, without content."""
    archive.status, archive.parts = 204, []
    open_viewer(door, "nurse", str(STUDY))
    answer = look(door, "/dicom-web/studies")
    assert (answer.status_code, answer.get_data()) == (204, b"")


def test_an_answer_that_is_no_list_is_not_passed(door: ControlAPI, archive: FakeServer) -> None:
    """What cannot be looked through might hold anything."""
    open_viewer(door, "nurse", str(STUDY))
    for content in (b"<xml/>", b"[1]", b'{"0020000D": 1}', b'[{"0020000D": []}]'):
        archive.parts = [content]
        assert look(door, "/dicom-web/studies").status_code == 502


def test_an_administrator_may_look_at_all(door: ControlAPI, archive: FakeServer) -> None:
    """The list as the archive gives it."""
    assert open_viewer(door, "admin").json["url"] == "/pacs-viewer/"
    assert len(json.loads(look(door, "/dicom-web/studies").get_data())) == 3
    assert archive.last.query == ""


def test_a_second_study_does_not_close_the_first(door: ControlAPI) -> None:
    """Two tabs, two cookies."""
    open_viewer(door, "nurse", str(STUDY))
    open_viewer(door, "nurse", OTHER)
    assert look(door).status_code == 200
    assert look(door, f"/dicom-web/studies/{OTHER}").status_code == 200


def test_it_ends(door: ControlAPI) -> None:
    """By our clock, whatever the browser does with the cookie."""
    open_viewer(door, "nurse", str(STUDY))
    door.clock.advance(599)
    assert look(door).status_code == 200
    door.clock.advance(1)
    assert (look(door).status_code, look(door).json["code"]) == (401, "auth.token_missing")


def test_who_logs_out_has_closed_the_viewer_too(door: ControlAPI) -> None:
    """The session hangs on the token that it was asked for with."""
    bearer = door.bearer("nurse")
    door.client.post("/api/viewer/session", json={"studies": [str(STUDY)]}, headers=bearer)
    assert look(door).status_code == 200
    door.client.post("/api/auth/logout", headers=bearer)
    assert look(door).status_code == 401


def test_an_account_that_was_switched_off_sees_nothing(door: ControlAPI) -> None:
    """At once."""
    open_viewer(door, "nurse", str(STUDY))
    door.accounts.inactive.add("nurse")
    assert look(door).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/dicom-web/studies/{STUDY}"),
        ("GET", f"/api/ris/dicom-web/studies/{STUDY}"),
        ("GET", "/api/jobs"),
        ("GET", "/api/fhir/Patient"),
        ("POST", "/api/auth/logout"),
    ],
)
def test_it_opens_nothing_else(door: ControlAPI, archive: FakeServer, method: str, path: str) -> None:
    """Not even if a browser sent it there; so it cannot be used to change anything from another site."""
    cookie = open_viewer(door, "technician", str(STUDY)).headers["Set-Cookie"].partition(";")[0]
    assert look_with(door, cookie, path, method).status_code == 401
    assert archive.calls == []


def test_a_token_wins_over_a_cookie(door: ControlAPI) -> None:
    """Somebody who shows a bad token is not let in by an old cookie."""
    open_viewer(door, "nurse", str(STUDY))
    assert look(door, headers={"Authorization": "Bearer x"}).status_code == 401
    assert look(door, f"/dicom-web/studies/{OTHER}", headers=door.bearer("nurse")).status_code == 200


@pytest.fixture
def session(door: ControlAPI) -> str:
    """Give a session that is open, without which every cookie would be refused."""
    return door.sessions.open("nurse").session_id


def _genuine(session: str) -> dict[str, Any]:
    return {
        "iss": "neuronova-node",
        "aud": "neuronova-viewer",
        "sub": "nurse",
        "sid": session,
        "exp": 4102444800,
        "studies": [str(STUDY)],
    }


FORGERIES: Mapping[str, Callable[[str], str]] = {
    "other key": lambda session: jwt.encode(_genuine(session), "z" * 32),
    "no key": lambda session: jwt.encode(_genuine(session), "", "none"),
    "other algorithm": lambda session: jwt.encode(_genuine(session), KEY * 2, "HS512"),
    "other audience": lambda session: jwt.encode(_genuine(session) | {"aud": "neuronova-control-api"}, KEY),
    "other issuer": lambda session: jwt.encode(_genuine(session) | {"iss": "somebody"}, KEY),
    "over": lambda session: jwt.encode(_genuine(session) | {"exp": 1}, KEY),
    **{
        f"no {name}": lambda session, name=name: jwt.encode(
            {k: v for k, v in _genuine(session).items() if k != name}, KEY
        )
        for name in _genuine("")
    },
    "no token": lambda _: "x",
    "empty": lambda _: "",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_cookie_opens_nothing(
    door: ControlAPI, archive: FakeServer, session: str, forge: Callable[[str], str]
) -> None:
    """Key, algorithm, issuer, audience and every claim are checked."""
    assert look_with(door, f"viewer_session_1={forge(session)}").status_code == 401
    assert archive.calls == []


def test_the_genuine_one_would_have_opened(door: ControlAPI, session: str) -> None:
    """The forgeries above fail for what is forged in them, and for nothing else."""
    assert look_with(door, f"viewer_session_1={jwt.encode(_genuine(session), KEY)}").status_code == 200


def test_an_access_token_is_no_cookie_and_a_cookie_no_token(door: ControlAPI, session: str) -> None:
    """Each is for its own audience."""
    token = door.bearer("admin")["Authorization"].split()[1]
    assert look_with(door, f"viewer_session_1={token}").status_code == 401
    cookie = jwt.encode(_genuine(session), KEY)
    assert door.client.get("/api/jobs", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401


def test_all_studies_are_for_who_is_an_administrator_now(door: ControlAPI, session: str) -> None:
    """A cookie of somebody whose role has changed since, or that claims it."""
    cookie = jwt.encode(_genuine(session) | {"studies": "all"}, KEY)
    assert look_with(door, f"viewer_session_all={cookie}").status_code == 403


def test_cookies_of_two_people_are_not_put_together(door: ControlAPI, session: str) -> None:
    """A browser may hold an old one of somebody else."""
    theirs = jwt.encode(_genuine(session) | {"sub": "doctor", "studies": [OTHER]}, KEY)
    cookies = f"viewer_session_1={theirs}; viewer_session_2={jwt.encode(_genuine(session), KEY)}"
    assert look_with(door, cookies).status_code == 200
    assert look_with(door, cookies, f"/dicom-web/studies/{OTHER}").status_code == 403

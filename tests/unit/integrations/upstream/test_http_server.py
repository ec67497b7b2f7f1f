"""Calls go to one server and nowhere else; whatever it does instead of answering has a name."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from integrations.upstream.circuit_breaker import BreakerOptions, Circuit, CircuitBreaker
from integrations.upstream.exchange import Answer, Call, Trouble, UpstreamTrouble
from integrations.upstream.http_server import HTTPServer, make_client
from tests.support.fakes import FixedClock
from tests.support.free_port import free_port
from tests.support.upstream import answering

GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngood"


def answer_with(status: str, fields: str = "") -> bytes:
    """Write an answer without a body."""
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.fixture
def breaker() -> CircuitBreaker:
    """Give a breaker that opens at the second failure."""
    return CircuitBreaker(FixedClock(), BreakerOptions(2, 10.0))


def server(url: str, breaker: CircuitBreaker) -> HTTPServer:
    """Give the server of an address; it must answer within a second."""
    return HTTPServer("archive", f"{url}/base/", make_client(httpx.Timeout(1.0)), breaker)


def trouble_of(server: HTTPServer) -> Trouble:
    """Ask, in vain."""
    with pytest.raises(UpstreamTrouble) as raised:
        server.send(Call("GET", "/x"))
    return raised.value.trouble


def test_an_answer_comes_as_it_is(breaker: CircuitBreaker) -> None:
    """Status, headers in lower case, and the body; then the connection is free."""
    with answering(GOOD) as url:
        answer = server(url, breaker).send(Call("GET", "/x", "a=%2C&b"))
        assert (answer.status, answer.header("content-type")) == (200, "text/plain")
        assert answer.read(10) == b"good"


def test_a_body_that_is_too_long_is_not_read(breaker: CircuitBreaker) -> None:
    """Where we have to read a whole answer, there is a limit."""
    with answering(GOOD) as url, pytest.raises(OverflowError):
        server(url, breaker).send(Call("GET", "/x")).read(3)


@pytest.mark.parametrize(
    ("raw", "trouble"),
    [
        (answer_with("500 Internal Server Error"), Trouble.FAILED),
        (answer_with("501 Not Implemented"), Trouble.FAILED),
        (answer_with("502 Bad Gateway"), Trouble.FAILED),
        (answer_with("503 Service Unavailable"), Trouble.BUSY),
        (answer_with("504 Gateway Timeout"), Trouble.TIMEOUT),
        (answer_with("302 Found", "Location: http://169.254.169.254/latest\r\n"), Trouble.REDIRECTED),
        (answer_with("307 Temporary Redirect", "Location: /other\r\n"), Trouble.REDIRECTED),
        (answer_with("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n'), Trouble.LOGIN_REFUSED),
        (answer_with("403 Forbidden"), Trouble.LOGIN_REFUSED),
        (answer_with("407 Proxy Authentication Required"), Trouble.LOGIN_REFUSED),
        (b"", Trouble.UNREACHABLE),
        (b"HTTP/1.1 200", Trouble.UNREACHABLE),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Trouble.UNREACHABLE),
    ],
)
def test_what_is_no_answer_has_a_name(breaker: CircuitBreaker, raw: bytes, trouble: Trouble) -> None:
    """Redirects are not followed, and errors of the server are not passed on as ours."""
    with answering(raw) as url:
        assert trouble_of(server(url, breaker)) is trouble


@pytest.mark.parametrize("status", ["304 Not Modified", "400 Bad Request", "404 Not Found", "409 Conflict"])
def test_what_the_server_refuses_is_its_answer(breaker: CircuitBreaker, status: str) -> None:
    """The client's own faults are told by the server itself."""
    with answering(answer_with(status)) as url:
        assert server(url, breaker).send(Call("GET", "/x")).status == int(status[:3])


def test_nobody_there(breaker: CircuitBreaker) -> None:
    """A port on which nobody listens."""
    assert trouble_of(server(f"http://127.0.0.1:{free_port()}", breaker)) is Trouble.UNREACHABLE


def test_silence_ends(breaker: CircuitBreaker) -> None:
    """A server that takes a request and says nothing."""

    def wait_for_client(connection: socket.socket) -> None:
        connection.settimeout(20)
        connection.recv(1)

    with answering(b"", then=wait_for_client) as url:
        assert trouble_of(server(url, breaker)) is Trouble.TIMEOUT


def test_who_fails_again_and_again_is_left_alone(breaker: CircuitBreaker) -> None:
    """The third call is not even sent."""
    with answering(answer_with("503 Service Unavailable")) as url:
        target = server(url, breaker)
        assert [trouble_of(target) for _ in range(3)] == [Trouble.BUSY, Trouble.BUSY, Trouble.RESTING]


def test_errors_of_single_requests_do_not_close_the_door(breaker: CircuitBreaker) -> None:
    """A 500 may be about one request; only silence is about the server."""
    with answering(answer_with("500 Internal Server Error")) as url:
        target = server(url, breaker)
        assert {trouble_of(target) for _ in range(4)} == {Trouble.FAILED}
    assert breaker.circuit is Circuit.CLOSED


def test_a_body_that_breaks_off_is_a_failure(breaker: CircuitBreaker) -> None:
    """The status has been passed on by then; so the client's connection breaks off too, and it is counted."""
    with answering(GOOD.replace(b"Content-Length: 4", b"Content-Length: 9")) as url:
        answer = server(url, breaker).send(Call("GET", "/x"))
        breaker.failed()
        with pytest.raises(UpstreamTrouble):
            answer.read(100)
    assert breaker.circuit is Circuit.OPEN


def test_a_client_that_leaves_is_nobodys_failure(breaker: CircuitBreaker) -> None:
    """What the client sends breaks off: that is raised as it is, and not counted."""

    def broken() -> Iterator[bytes]:
        yield b"begin"
        raise ConnectionResetError("the client is gone")

    with answering(GOOD) as url:
        target = server(url, breaker)
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                target.send(Call("POST", "/x", body=broken()))
    assert breaker.circuit is Circuit.CLOSED


def test_an_answer_is_closed_once_it_is_read(breaker: CircuitBreaker) -> None:
    """Also where nobody reads it to its end."""
    closed = []
    answer = Answer(200, [], iter([b"a", b"b"]), lambda: closed.append(True))
    with pytest.raises(OverflowError):
        answer.read(1)
    assert closed == [True]

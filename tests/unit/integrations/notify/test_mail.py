"""E-mail, at a real mail server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from integrations.http_login import Login
from integrations.notify.mail import MailSender, MailServer
from integrations.notify.notification import JOB_ENDED, SUMMARY, NotDelivered, Notification
from tests.support.fakes import NOON
from tests.support.free_port import free_port
from tests.support.mail_server import PASSWORD, USER, make_certificate, running_mail_server

FROM, TO = "node@hospital.example", ("it@hospital.example", "mri@hospital.example")
EVENT = Notification(
    number=7,
    channel="email",
    event="a" * 32 + ".1.failed",
    kind=JOB_ENDED,
    content={"job_id": "a" * 32, "study": "0f1e2d3c4b5a", "state": "FAILED", "code": "inference.out_of_memory"},
    attempts=1,
    created_at=NOON,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a certificate that nobody trusts unless told to."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def test_everybody_gets_one_message(tmp_path: Path) -> None:
    """It says what ended and why, is marked as automatic, and its id is the event's."""
    with running_mail_server("none") as mailbox:
        MailSender(MailServer("127.0.0.1", mailbox.port, "none"), FROM, TO).send(EVENT)

    (message,) = mailbox.messages
    assert mailbox.recipients == [list(TO)]
    assert message["Subject"] == "NeuroNova Node: job FAILED (inference.out_of_memory)"
    assert (message["From"], message["To"], message["Auto-Submitted"]) == (FROM, ", ".join(TO), "auto-generated")
    assert message["Message-ID"] == f"<{EVENT.event}@hospital.example>"
    assert message["Date"].datetime == NOON
    text = message.get_content()
    assert "job_id: " + "a" * 32 in text
    assert "study: 0f1e2d3c4b5a" in text


def test_a_summary_is_sent_as_it_was_written() -> None:
    """In Korean too."""
    content = {"subject": "요약", "text": "작업 3건\n"}
    with running_mail_server("none") as mailbox:
        sender = MailSender(MailServer("127.0.0.1", mailbox.port, "none"), FROM, TO)
        sender.send(replace(EVENT, kind=SUMMARY, content=content))

    assert (mailbox.messages[0]["Subject"], mailbox.messages[0].get_content().strip()) == ("요약", "작업 3건")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_password_is_sent_only_to_the_right_server(certificate: Path, security: str) -> None:
    """Over TLS, after the certificate was checked; a wrong password and an unknown certificate end it."""
    with running_mail_server(security, certificate) as mailbox:
        server = MailServer("127.0.0.1", mailbox.port, security, Login(USER, PASSWORD), certificate)  # type: ignore[arg-type]
        MailSender(server, FROM, TO).send(EVENT)
        for wrong in (replace(server, login=Login(USER, "wrong")), replace(server, ca_file=None)):
            with pytest.raises(NotDelivered) as failed:
                MailSender(wrong, FROM, TO).send(EVENT)
            assert not failed.value.final
            assert PASSWORD not in failed.value.reason

    assert len(mailbox.messages) == 1


def test_a_server_without_tls_gets_nothing() -> None:
    """STARTTLS that is not offered is no reason to speak in the clear."""
    with running_mail_server("none") as mailbox:
        with pytest.raises(NotDelivered):
            MailSender(MailServer("127.0.0.1", mailbox.port, "starttls"), FROM, TO).send(EVENT)
        assert mailbox.messages == []


def test_a_server_that_says_no_is_asked_again() -> None:
    """Busy, full or greylisting: the reason is a number, not the server's words."""
    with running_mail_server("none") as mailbox:
        mailbox.refusals = ["451 4.7.1 greylisted, come back"]
        sender = MailSender(MailServer("127.0.0.1", mailbox.port, "none"), FROM, TO)
        with pytest.raises(NotDelivered) as failed:
            sender.send(EVENT)
        sender.send(EVENT)

    assert failed.value.reason == "the mail server answers 451"
    assert len(mailbox.messages) == 1


def test_one_wrong_recipient_does_not_keep_it_from_the_others() -> None:
    """They have it, and get it once; that one does not is in the log, without the address."""
    with running_mail_server("none") as mailbox, capture_logs() as lines:
        mailbox.unknown = {TO[0]}
        MailSender(MailServer("127.0.0.1", mailbox.port, "none"), FROM, TO).send(EVENT)

    assert mailbox.recipients == [[TO[1]]]
    assert [(line["event"], line["recipients"]) for line in lines] == [("mail.refused", 1)]


def test_no_server_is_no_receipt() -> None:
    """It may be back in a minute."""
    with pytest.raises(NotDelivered) as failed:
        MailSender(MailServer("127.0.0.1", free_port(), "none"), FROM, TO).send(EVENT)
    assert failed.value.reason == "no e-mail (ConnectionRefusedError)"

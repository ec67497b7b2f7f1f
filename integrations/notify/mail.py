"""Telling people by e-mail."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

import structlog

from integrations.http_login import Login
from integrations.notify.notification import JOB_ENDED, NotDelivered, Notification

LOG = structlog.get_logger(__name__)

TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed over.

    Parameters
    ----------
    host, port
        Its address.
    security
        ``starttls`` (RFC 3207), ``tls`` (RFC 8314), or ``none``.
    login
        User and password, or None.
    ca_file
        Certificates to trust instead of the system's.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    login: Login | None = None
    ca_file: Path | None = None


class MailSender:
    """Sends one message to all recipients.

    Parameters
    ----------
    server
        Where it is handed over.
    sender, recipients
        Plain addresses.
    """

    def __init__(self, server: MailServer, sender: str, recipients: Sequence[str]) -> None:
        self._server = server
        self._sender = sender
        self._recipients = tuple(recipients)

    def send(self, notification: Notification) -> None:
        """Hand it over; its Message-ID is the event's, so that a repetition is seen to be one.

        Raises
        ------
        NotDelivered
            If the server does not take it for anybody. Where it takes it for some only, those have it, and a
            repetition would not reach the others either.
        """
        try:
            with self._connected() as connection:
                refused = connection.send_message(self._message(notification), self._sender, self._recipients)
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(_reason(error)) from None
        if refused:
            LOG.warning("mail.refused", recipients=len(refused), of=len(self._recipients))

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=TIMEOUT_SECONDS, context=self._trust()
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
        try:
            if server.security == "starttls":
                connection.starttls(context=self._trust())
            if server.login is not None:
                connection.login(server.login.user, server.login.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._server.ca_file)

    def _message(self, notification: Notification) -> EmailMessage:
        subject, text = _words(notification)
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Subject"] = subject
        message["Date"] = format_datetime(notification.created_at)
        message["Message-ID"] = f"<{notification.event}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message


def _words(notification: Notification) -> tuple[str, str]:
    content = notification.content
    if notification.kind != JOB_ENDED:
        return str(content["subject"]), str(content["text"])
    code = f" ({content['code']})" if content.get("code") else ""
    lines = [f"{name}: {value}" for name, value in content.items() if value is not None]
    text = "\n".join(["A job of this node ended.", "", *lines, "", "The job's page in the control API says more."])
    return f"NeuroNova Node: job {content['state']}{code}", f"{text}\n"


def _reason(error: Exception) -> str:
    """Name the fault; the server's own words may quote addresses."""
    code = getattr(error, "smtp_code", None)
    return f"the mail server answers {code}" if isinstance(code, int) else f"no e-mail ({type(error).__name__})"

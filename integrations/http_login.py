"""User and password for servers that we call by HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Login:
    """HTTP Basic authentication (RFC 7617).

    Parameters
    ----------
    user, password
        The password is left out of ``repr``.
    """

    user: str
    password: str = field(repr=False)

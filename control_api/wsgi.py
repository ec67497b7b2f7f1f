"""What a WSGI server imports: ``control_api.wsgi:create()``, or ``control_api.wsgi:app`` where it wants a name."""

from __future__ import annotations

from flask import Flask

from control_api.app import create_app
from control_api.bootstrap import build_services
from integrations.logs import configure_logs
from integrations.settings import load_settings, setting_sources


def create() -> Flask:
    """Read the settings, set up logging, and build the application.

    Raises
    ------
    ConfigurationError
        With every fault at once.
    """
    settings = load_settings()
    configure_logs(settings)
    return create_app(build_services(settings, setting_sources()))


def __getattr__(name: str) -> Flask:
    """Build the application when somebody asks for ``app``: importing this module does nothing by itself."""
    if name == "app":
        return create()
    raise AttributeError(f"module {__name__} has no attribute {name}")

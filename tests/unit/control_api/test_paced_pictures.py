"""A person turns slices over faster than anybody asks for anything else."""

from __future__ import annotations

import pytest
from flask import Flask

from control_api.app import describe
from control_api.auth.pace import Pace
from control_api.auth.roles import handler_of


@pytest.mark.parametrize("endpoint", ["previews.Slice", "ris-dicom-web.DICOMwebOfRIS"])
def test_pictures_are_counted_apart(endpoint: str) -> None:
    """Else somebody who scrolls would be locked out of the rest."""
    app = Flask("control_api")
    describe(app, "1")
    assert handler_of(app, endpoint, "GET").pace is Pace.PICTURES

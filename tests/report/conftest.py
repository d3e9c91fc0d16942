"""What tests of reports share."""

import pytest

from showdown.report.figures import gallery


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out, which take seconds to draw, where only the text around them is read."""
    monkeypatch.setattr(gallery, "GALLERY", ())

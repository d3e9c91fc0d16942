"""What tests of methods share."""

from collections.abc import Iterator

import pytest

from showdown.testing import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Tiny models and trained methods, made when they are first asked for."""
    with Workshop(tmp_path_factory.mktemp("workshop")) as workshop:
        yield workshop

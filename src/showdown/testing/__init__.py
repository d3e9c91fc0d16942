"""The conformance suite: what every method must do, for Showdown's own methods and for those of other packages.

It runs on tiny networks, in seconds. A package that adds a method tests it so, with pytest::

    import pytest
    from showdown.testing import Case, Workshop, cases

    @pytest.fixture(scope="session")
    def workshop(tmp_path_factory):
        with Workshop(tmp_path_factory.mktemp("conformance")) as workshop:
            yield workshop

    @pytest.mark.parametrize("case", cases("my-method"), ids=str)
    def test_conformance(case: Case, workshop: Workshop) -> None:
        case.run(workshop)

A check that fails raises `NonConformance`, an `AssertionError` whose message says what is wrong with the method.
"""

from showdown.testing.cases import Case, cases
from showdown.testing.require import NonConformance
from showdown.testing.workshop import Workshop

__all__ = ["Case", "NonConformance", "Workshop", "cases"]

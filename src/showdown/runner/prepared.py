"""A comparison that can begin: what is to know of its rows without the rows."""

from showdown.core.spec import Comparison
from showdown.core.split import SplitSpec
from showdown.core.strict import Strict
from showdown.data.audit import Audit
from showdown.data.prepare import Prepared


class Ready(Strict):
    """A comparison that can begin, and what is to know of its rows; no text is in it."""

    comparison: Comparison
    """Its `auto` seeds and tuning replaced by what they come to."""
    fingerprint: str
    """Of the rows and how they are divided."""
    labels: list[str]
    split: SplitSpec
    partitions: int
    audit: Audit
    notices: list[str]
    """Of the data, a line each."""
    said: list[str]
    """What `auto` came to, a line each."""


def ready(comparison: Comparison, prepared: Prepared, said: list[str]) -> Ready:
    """Return what stays of prepared rows when the rows themselves are left."""
    return Ready(
        comparison=comparison,
        fingerprint=prepared.fingerprint,
        labels=list(prepared.labels),
        split=prepared.split,
        partitions=len(prepared.partitions),
        audit=prepared.audit,
        notices=list(prepared.notices),
        said=said,
    )

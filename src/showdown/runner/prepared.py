"""A prepared comparison, without its rows."""

from pydantic import Field

from showdown.core.spec import Comparison
from showdown.core.split import SplitSpec
from showdown.core.strict import Strict
from showdown.data.audit import Audit
from showdown.data.chats.facts import WrittenFacts, written_facts
from showdown.data.prepare import Prepared


class Ready(Strict):
    """A prepared comparison, and what its runs need to know of its rows. It holds no text."""

    comparison: Comparison
    """With the values that were chosen for `auto` seeds and tuning."""
    fingerprint: str
    """Of the rows and how they are divided."""
    labels: list[str]
    split: SplitSpec
    partitions: int
    audit: Audit
    written: WrittenFacts | None = None
    """Of prompts and answers; None for labelled texts."""
    scorers: dict[str, str] = Field(default_factory=dict)
    """Digest of each score of the user's own, by `protocol.scorer`."""
    notices: list[str]
    """Of the data, a line each."""
    choices: list[str]
    """What was chosen for `auto`, a line each."""


def ready(
    comparison: Comparison, prepared: Prepared, choices: list[str], scorers: dict[str, str] | None = None
) -> Ready:
    """Return what remains of prepared data without the rows."""
    return Ready(
        comparison=comparison,
        fingerprint=prepared.fingerprint,
        labels=list(prepared.labels),
        split=prepared.split,
        partitions=len(prepared.partitions),
        audit=prepared.audit,
        written=written_facts(prepared.rows),
        scorers=scorers or {},
        notices=list(prepared.notices),
        choices=choices,
    )

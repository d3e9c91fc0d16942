"""The slower part of the audit within a run: made once for the same rows, kept in the comparison's folder."""

from pathlib import Path

from showdown.core.files import write_json
from showdown.core.spec import ModelSpec
from showdown.core.strict import Strict
from showdown.data.inspection import VERSION, DeepAudit, deep_audit
from showdown.data.listing import write_listing
from showdown.data.prepare import Prepared
from showdown.runner.chats import ChatPreparation

LISTING = "findings.csv"
_FILE = "inspection.json"


class _Kept(Strict):
    version: int
    fingerprint: str
    model: ModelSpec
    found: DeepAudit


def inspected(
    prepared: Prepared, model: ModelSpec, max_tokens: int, folder: Path, chats: ChatPreparation | None = None
) -> DeepAudit:
    """Return the deep audit of a comparison's rows: rows to look at first, lengths, what the leak would be worth.

    Args:
        prepared: the rows.
        model: whose tokens are counted.
        max_tokens: where texts are cut.
        folder: where it is kept, and `findings.csv` with the rows behind each finding; it exists.
        chats: counts the tokens of prompts with their answers; None for labelled texts.

    """
    path = folder / _FILE
    max_tokens = max_tokens if chats is None else chats.limit
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        kept = None
    needed = (VERSION, prepared.fingerprint, model, max_tokens)
    if kept and (kept.version, kept.fingerprint, kept.model, _limit(kept.found)) == needed:
        return kept.found
    found = _deep_audit(prepared, model, max_tokens) if chats is None else chats.inspect(prepared.rows)
    write_listing(folder / LISTING, prepared.rows, prepared.audit, found, prepared.partitions)
    kept = _Kept(version=VERSION, fingerprint=prepared.fingerprint, model=model, found=found)
    write_json(path, kept.model_dump(mode="json"))
    return found


def _limit(found: DeepAudit) -> int | None:
    return found.lengths.max_tokens if found.lengths else None


def _deep_audit(prepared: Prepared, model: ModelSpec, max_tokens: int) -> DeepAudit:
    from showdown.models.source import locate
    from showdown.models.tokens import count_tokens, load_tokenizer

    tokenizer = load_tokenizer(locate(model))
    return deep_audit(
        prepared.rows,
        prepared.partitions,
        count_tokens=lambda texts: count_tokens(tokenizer, texts),
        max_tokens=max_tokens,
    )

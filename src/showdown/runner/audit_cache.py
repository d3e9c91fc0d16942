"""The slower part of the audit within a run: made once for the same rows, kept in the comparison's folder."""

from collections.abc import Generator
from pathlib import Path

from showdown.core.files import write_json
from showdown.core.spec import ModelSpec
from showdown.core.strict import Strict
from showdown.data.inspection import VERSION, DeepAudit, Lengths, deep_audit, lengths_of
from showdown.data.listing import write_listing
from showdown.data.prepare import Prepared
from showdown.data.rows import Rows
from showdown.runner.chats import ChatPreparation
from showdown.runner.preparation_process import PreparationProcess

LISTING = "findings.csv"
_FILE = "inspection.json"


class _Kept(Strict):
    version: int
    fingerprint: str
    model: ModelSpec
    found: DeepAudit


class Inspection:
    """The deep audit of a comparison's rows: rows to look at first, lengths, what the leak would be worth.

    What needs no tokenizer goes on in a process of its own, where `PreparationProcess` can make one.
    """

    def __init__(
        self,
        prepared: Prepared,
        model: ModelSpec,
        max_tokens: int,
        folder: Path,
        chats: ChatPreparation | None = None,
    ) -> None:
        """Make that process, before torch is imported; nothing is done yet.

        Args:
            prepared: the rows.
            model: whose tokens are counted.
            max_tokens: where texts are cut.
            folder: where the audit is kept, and `findings.csv` with the rows behind each finding.
            chats: counts the tokens of prompts with their answers; None for labelled texts.

        """
        self._prepared, self._model, self._folder, self._chats = prepared, model, folder, chats
        self._max_tokens = max_tokens if chats is None else chats.limit
        self._apart = PreparationProcess(_without_lengths(prepared, chats))

    def close(self) -> None:
        """End the process."""
        self._apart.end()

    def begin(self) -> None:
        """Let the process begin, where no audit of these rows is kept. Nothing is written."""
        if self._kept() is None:
            self._apart.begin()

    def result(self) -> DeepAudit:
        """Return the audit that is kept, or make it and keep it in the folder, which exists."""
        kept = self._kept()
        if kept is not None:
            return kept
        found = self._found()
        write_listing(
            self._folder / LISTING, self._prepared.rows, self._prepared.audit, found, self._prepared.partitions
        )
        made = _Kept(version=VERSION, fingerprint=self._prepared.fingerprint, model=self._model, found=found)
        write_json(self._folder / _FILE, made.model_dump(mode="json"))
        return found

    def _kept(self) -> DeepAudit | None:
        try:
            kept = _Kept.model_validate_json((self._folder / _FILE).read_bytes())
        except (OSError, ValueError):
            return None
        needed = (VERSION, self._prepared.fingerprint, self._model, self._max_tokens)
        is_it = (kept.version, kept.fingerprint, kept.model, _limit(kept.found)) == needed
        return kept.found if is_it else None

    def _found(self) -> DeepAudit:
        if self._chats is not None:
            return self._apart.result(DeepAudit)
        lengths = _lengths(self._prepared.rows, self._model, self._max_tokens)
        return self._apart.result(DeepAudit).model_copy(update={"lengths": lengths})


def _limit(found: DeepAudit) -> int | None:
    return found.lengths.max_tokens if found.lengths else None


def _without_lengths(prepared: Prepared, chats: ChatPreparation | None) -> Generator[DeepAudit]:
    """Yield the audit; that of labelled texts lacks their lengths, since the libraries of tokenizers are large."""
    yield deep_audit(prepared.rows, prepared.partitions) if chats is None else chats.inspect(prepared.rows)


def _lengths(rows: Rows, model: ModelSpec, max_tokens: int) -> Lengths:
    from showdown.models.source import locate
    from showdown.models.tokens import count_tokens, load_tokenizer

    tokenizer = load_tokenizer(locate(model))
    return lengths_of(rows, lambda texts: count_tokens(tokenizer, texts), max_tokens)

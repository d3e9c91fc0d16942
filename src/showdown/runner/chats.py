"""What a comparison whose task is to write text needs before its first run: a template, lengths, a limit of tokens."""

from pathlib import Path

from showdown.core.chat import shown_prompt
from showdown.core.errors import UserError
from showdown.core.method import TunedMethod
from showdown.core.metric import AUTO, GENERATION, OWN, metric_named
from showdown.core.metric_choice import refuse_metric_without_scores
from showdown.core.spec import Comparison, SharedProtocol
from showdown.data.chats.overlong import fit_rows
from showdown.data.inspection import DeepAudit, deep_chat_audit
from showdown.data.prepare import Prepared
from showdown.data.rows import Rows
from showdown.data.tables import count
from showdown.methods.table import build, method_and_settings, protocol_of
from showdown.models.described import DescribedModel

_SPARE_SHARE, _SPARE_TOKENS, _MULTIPLE = 1.5, 8, 8
"""`auto` leaves room for answers longer than the wanted ones: half as much again and 8 tokens, as a multiple of 8."""
_NO_LIMIT = 2**40


class ChatPreparation:
    """Lays out the chats of one comparison with its model's tokenizer and template."""

    def __init__(self, comparison: Comparison, model: DescribedModel) -> None:
        """Open the tokenizer and try its template.

        Args:
            comparison: what to compare.
            model: its model, with a tokenizer, and with the content of its chat template.

        Raises:
            UserError: where the model has no chat template, or one that cannot lay out a chat.

        """
        from showdown.models.tokens import load_tokenizer, token_limit
        from showdown.tasks.generation.layout import ChatLayout
        from showdown.tasks.generation.lengths import ChatLengths

        tokenizer = model.tokenizer or load_tokenizer(model.place, model.chat_template)  # which says what is missing
        layout = ChatLayout(tokenizer)
        assert layout.stop_ids  # laying out a chat shows what is wrong with a template
        self._comparison = comparison
        self.lengths = ChatLengths(layout)
        self._special_tokens = layout.special_tokens
        self._room = token_limit(tokenizer, model.config, _NO_LIMIT, virtual_tokens=_virtual_tokens(comparison))
        wanted = min(protocol.max_tokens for protocol in _protocols(comparison))
        self.limit = min(wanted, self._room)
        """The most tokens of a prompt with its answer: the lowest limit of any row of the table, and of the model."""
        self._of_model = self._room < wanted

    def fit(self, rows: Rows) -> Rows:
        """Refuse, drop or cut rows that are too long, as `data.overlong` says.

        Raises:
            UserError: as `fit_rows` does.

        """
        return fit_rows(rows, self.lengths, self.limit, self._comparison.data.overlong, of_model=self._of_model)

    def inspect(self, rows: Rows) -> DeepAudit:
        """Return the slower part of the audit: overlong rows, uncut, and special tokens in the data."""
        return deep_chat_audit(
            rows,
            tokens=[self.lengths.of(*pair).whole for pair in zip(rows.texts, rows.answers, strict=True)],
            max_tokens=self.limit,
            special_tokens=self._special_tokens,
        )

    def settled(self, comparison: Comparison, prepared: Prepared) -> tuple[Comparison, list[str]]:
        """Put a number in the place of `max_new_tokens: auto`.

        Returns:
            The comparison, and a line that says the number, if one was chosen.

        Raises:
            UserError: where a longest prompt leaves the model no room for that many tokens.

        """
        longest_prompt, row = self._longest_prompt(prepared.rows)
        for protocol in _protocols(comparison):
            asked = protocol.max_new_tokens
            if isinstance(asked, int) and longest_prompt + asked > self._room:
                raise UserError(
                    f"`protocol.max_new_tokens: {asked}` and the prompt of row {row} ({longest_prompt:,} tokens) are"
                    f" more than the {self._room:,} tokens that the model can take; lower it, or set"
                    " `protocol.max_tokens` lower and `data.overlong: cut`"
                )
        if not any(protocol.max_new_tokens == AUTO for protocol in (comparison.protocol, *_protocols(comparison))):
            return comparison, []
        chosen, line = self._chosen(prepared, self._room - longest_prompt)
        return _with_new_tokens(comparison, chosen), [line]

    def _chosen(self, prepared: Prepared, room: int) -> tuple[int, str]:
        """Return the limit of new tokens that the training and validation rows ask for, and a line that says so."""
        rows = prepared.rows
        seen = {index for part in prepared.partitions for index in (*part.train, *part.validation)}
        longest = max(self.lengths.of(rows.texts[index], rows.answers[index]).answer for index in seen)
        wanted = -int(-(_SPARE_SHARE * longest + _SPARE_TOKENS) // _MULTIPLE) * _MULTIPLE
        chosen = min(wanted, room)
        how = f"{_SPARE_SHARE:g} times the longest answer ({count(longest, 'token')}) plus {_SPARE_TOKENS}"
        less = f", lowered to what the model can take behind the longest prompt: {how} would be {wanted:,}"
        return chosen, f"max_new_tokens: {chosen:,}" + (less if chosen < wanted else f", {how}")

    def _longest_prompt(self, rows: Rows) -> tuple[int, int]:
        """Return the tokens of the longest prompt, and its row."""
        found = [self.lengths.of(*pair) for pair in zip(rows.texts, rows.answers, strict=True)]
        longest = max(range(len(found)), key=lambda index: found[index].whole - found[index].answer)
        return found[longest].whole - found[longest].answer, rows.row_ids[longest]


def _virtual_tokens(comparison: Comparison) -> int:
    """Return the most virtual tokens that a row of the table puts to every chat."""
    methods = [build(*method_and_settings(row, written)) for row, written in comparison.methods.items()]
    return max((method.virtual_tokens for method in methods if isinstance(method, TunedMethod)), default=0)


def chats_of(comparison: Comparison, model: DescribedModel) -> ChatPreparation | None:
    """Return what prepares the chats of a comparison; None for a task without any."""
    return ChatPreparation(comparison, model) if comparison.task == GENERATION else None


def refuse_unscored_metric(comparison: Comparison, prepared: Prepared) -> None:
    """Refuse a metric of written answers that makes no sense on these data, before anything is trained.

    Raises:
        UserError: naming the scores that do.

    """
    metric, protocol = comparison.protocol.metric, comparison.protocol
    if comparison.task != GENERATION or metric == AUTO or metric_named(metric).of_token_loss:
        return
    from showdown.tasks.generation.scoring import fitting_scores

    scored = [
        fitting_scores([*prepared.side("test", place).answers, *prepared.side("validation", place).answers])
        for place in range(len(prepared.partitions))
    ]
    everywhere = [key for key in scored[0] if all(key in one for one in scored)]
    refuse_metric_without_scores(metric, [*everywhere, *([OWN] if protocol.scorer else [])])


def scorer_digests(comparison: Comparison, rows: Rows) -> dict[str, str]:
    """Load the scores of the user's own once, before any run, and return what identifies each, by `protocol.scorer`.

    Each is tried on the first row, with the wanted answer and with an empty one: one that fails there would fail after
    hours of training.

    Raises:
        UserError: for one that cannot be loaded, or fails.

    """
    from showdown.tasks.generation.scorers.own import load_scorer

    names = {protocol.scorer for protocol in _protocols(comparison) if protocol.scorer is not None}
    loaded = {name: load_scorer(name, Path()) for name in sorted(names)}
    for own in loaded.values():
        for written in (rows.answers[0], ""):
            own(shown_prompt(rows.texts[0]), rows.answers[0], written, f"data row {rows.row_ids[0]}")
    return {name: own.sha256 or own.package or "" for name, own in loaded.items()}


def _protocols(comparison: Comparison) -> list[SharedProtocol]:
    return [protocol_of(comparison.protocol, written) for written in comparison.methods.values()]


def _with_new_tokens(comparison: Comparison, chosen: int) -> Comparison:
    """Return the comparison with a number in the place of every `max_new_tokens: auto`, those of single rows too."""
    methods = {}
    for row, written in comparison.methods.items():
        own = written.get("protocol") or {}
        is_auto = own.get("max_new_tokens") == AUTO
        methods[row] = written | {"protocol": {**own, "max_new_tokens": chosen}} if is_auto else written
    protocol = comparison.protocol
    if protocol.max_new_tokens == AUTO:
        protocol = protocol.model_copy(update={"max_new_tokens": chosen})
    return comparison.model_copy(update={"protocol": protocol, "methods": methods})

"""How chats become token ids: the model's chat template, literal contents, and which tokens belong to an answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from showdown.core.chat import Message, read_prompt
from showdown.core.errors import UserError
from showdown.core.task import Objective
from showdown.models.chat_template import PLAIN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ROUNDS = 4
"""A normaliser may join what was broken up; in practice one round is enough."""
_PROBE = '[{"role": "user", "content": "a"}]'


@dataclass(frozen=True, kw_only=True)
class LaidOut:
    """One chat with its answer as tokens."""

    ids: list[int]
    counted: list[bool]
    """Whether each token is one that a loss counts."""

    @property
    def targets(self) -> list[int]:
        """For each token the id of the token after it, or `Objective.padding_target` where that does not count."""
        following = zip(self.ids[1:], self.counted[1:], strict=True)
        nothing = Objective.padding_target
        return [*(token if counts else nothing for token, counts in following), nothing]


class ChatLayout:
    """Lays out the chats of one model.

    A message's content stands for itself: where it spells a special token, that is broken up, so that no data can end
    a message or begin another one.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        """Read the template.

        Raises:
            UserError: where the model has none.

        """
        self.tokenizer = tokenizer
        template = tokenizer.chat_template
        if template is None:
            raise UserError(
                "the model has no chat template; set `model.chat_template` to a Jinja template, a file with one, or "
                f"`{PLAIN}` for a model that was trained on plain text"
            )
        self.template = template
        special = {number: str(token) for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        special |= dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
        self._marks = frozenset(special) - {tokenizer.unk_token_id}
        spelled = sorted((word for word in special.values() if len(word) > 1), key=len, reverse=True)
        self._special = tuple(sorted({word for number, word in special.items() if number in self._marks}))
        self._spelled = re.compile("|".join(map(re.escape, spelled)) or r"(?!)", re.IGNORECASE)

    def prompt(self, text: str) -> list[int]:
        """Return the token ids of a prompt, up to where the answer begins."""
        ids: list[int] = []
        for piece, _ in self._pieces(self._literal(read_prompt(text))):
            ids = piece
        return ids

    def example(self, text: str, answer: str, loss_on: Literal["answers", "all"] = "answers") -> LaidOut:
        """Return a prompt with its wanted answer; all assistant messages of the chat count as answers.

        Args:
            text: the prompt, as `core/chat.py` keeps it.
            answer: the wanted answer.
            loss_on: what counts: the tokens of answers with the token that ends each, or all tokens.

        """
        messages = self._literal((*read_prompt(text), Message(role="assistant", content=answer)))
        ids: list[int] = []
        counted: list[bool] = []
        for piece, is_answer in self._pieces(messages):
            counted += [is_answer or loss_on == "all"] * (self._end_of(piece) - len(ids))
            counted += [loss_on == "all"] * (len(piece) - len(counted))
            ids = piece
        end = self._end_of(ids)
        if not any(counted[1:end]):
            raise UserError("the chat template leaves out the answer; set `model.chat_template`")
        return LaidOut(ids=ids[:end], counted=counted[:end])

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Return the special tokens that no content may spell: each is broken up where a chat is laid out."""
        return self._special

    @property
    def stop_ids(self) -> frozenset[int]:
        """Return the tokens that end an answer: the end of sequence, and what the template puts behind an answer."""
        found = self.example(_PROBE, "a")
        last = found.ids[-1]
        return frozenset({last, self.tokenizer.eos_token_id} - {None}) if self._is_special(last) else self._eos

    @property
    def _eos(self) -> frozenset[int]:
        return frozenset({self.tokenizer.eos_token_id} - {None})

    def _is_special(self, token: int) -> bool:
        return token in self._marks

    def _end_of(self, ids: Sequence[int]) -> int:
        """Return where a chat ends: behind its last special token, since what a template adds to it is never read."""
        places = [place for place, token in enumerate(ids) if self._is_special(token)]
        behind = self.tokenizer.decode(ids[places[-1] + 1 :]) if places else "text"
        return places[-1] + 1 if places and not behind.strip() else len(ids)

    def _literal(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        return [{"role": one.role, "content": self.literal(one.content)} for one in messages]

    def literal(self, content: str) -> str:
        """Return a content without special tokens: each that it spells is broken up by a space."""
        for _ in range(_ROUNDS):
            if not self._marks.intersection(self._tokens(content)):
                break
            content = self._spelled.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)
        return content

    def _pieces(self, messages: Sequence[dict[str, str]]) -> list[tuple[list[int], bool]]:
        """Return the chat's tokens up to the beginning and up to the end of each answer, with which of both it is."""
        answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        stops = [(place + is_answer, is_answer) for place in answers for is_answer in (False, True)]
        if not answers or answers[-1] < len(messages) - 1:
            stops.append((len(messages), False))
        pieces: list[tuple[list[int], bool]] = []
        before, ids = "", list[int]()
        for upto, is_answer in stops:
            text = self._render(messages[:upto], opened=not is_answer)
            ids = self._continued(before, ids, text)
            pieces.append((ids, is_answer))
            before = text
        return pieces

    def _render(self, messages: Sequence[dict[str, str]], *, opened: bool) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=opened, chat_template=self.template
            )
        except Exception as error:  # a template may raise whatever it likes, for roles that it does not take
            why = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
            raise UserError(
                f"the chat template cannot lay out these messages ({why}); set `model.chat_template`"
            ) from error
        assert isinstance(text, str)
        return text

    def _continued(self, before: str, ids: list[int], text: str) -> list[int]:
        """Return the tokens of a text that goes on from an earlier one; they begin with the earlier one's tokens."""
        if not text.startswith(before):
            raise UserError(
                "the chat template lays out a chat otherwise once it is answered, so that an answer cannot be told "
                "from its prompt; set `model.chat_template`"
            )
        whole = self._tokens(text)
        return whole if whole[: len(ids)] == ids else ids + self._tokens(text[len(before) :])

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=False, return_attention_mask=False, verbose=False
        )["input_ids"]
        return ids

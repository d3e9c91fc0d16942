"""Prompt search: instructions and examples are tried on validation rows, and the best prompt answers.

A simple relative of APE (Zhou et al., arXiv 2211.01910), which has a language model propose instructions, and of OPRO
(arXiv 2309.03409). Here the instructions are listed: none, a few that suit any task (`prompt_candidates.py`), and those
of the user. Each is combined with numbers of examples, drawn at random or nearest to the prompt. Successive halving
finds the best.

A prompt is judged as an epoch of fine-tuning is: by the mean probability of the right next token over the wanted
answers of validation rows, and by their loss where that is equal. That treats prompts and weights alike, takes one
forward pass a row, and tells prompts apart on a few rows, where a small model's written answers are often all wrong.

The search keeps within the seconds that the protocol allows a training, and goes on where it was interrupted.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from showdown.core.chat import Message, written_prompt
from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.files import write_text
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.spec import Needs
from showdown.core.strict import Strict
from showdown.core.traits import Traits
from showdown.methods.demonstrations import Choice, Pair, chooser
from showdown.methods.halving import Tally, rounds, successive_halving
from showdown.methods.prompt_candidates import Prompt, instructions, prompts_to_try
from showdown.methods.prompt_judge import PromptJudge

if TYPE_CHECKING:
    from showdown.tasks.generation.pretrained import Pretrained
    from showdown.tasks.generation.prompted import PromptedWriter

_FILE = "prompt.json"
_FIRST_ROWS = 8
"""Validation rows of the first round, at the least."""


class PromptSearchSettings(MethodSettings):
    """Settings of the search for a prompt."""

    trials: int = Field(default=12, ge=1, le=500)
    """Prompts that are tried. The prompt as it is, and each number of examples without an instruction, come first."""
    examples: list[Annotated[int, Field(ge=0, le=64)]] = Field(default=[0, 2, 4], min_length=1)
    """Numbers of examples that are tried."""
    choose: list[Choice] = Field(default=["random", "nearest"], min_length=1)
    """How the examples of a prompt are chosen, as with `few-shot`. Random ones cost less: batches compute them once."""
    instructions: list[Annotated[str, Field(min_length=1)]] = Field(default=[])
    """Instructions of yours. Each is tried in place of the prompt's system message."""
    validation_rows: int = Field(default=64, ge=1)
    """Validation rows that the last two prompts are judged by; half as many for twice as many prompts, and so on."""


class Tried(Strict):
    """How a prompt did, for the reader of a saved model."""

    prompt: str
    rows: int
    """Validation rows that it was judged by."""
    score: float
    """Mean probability of a token of the wanted answers."""
    loss: float
    """Their mean loss a token, in nats."""


class Found(Strict):
    """What the search found, as it is saved."""

    prompt: Prompt
    tried: tuple[Tried, ...]


class PromptSearch(FittedMethod):
    """A pretrained model behind the best of several prompts."""

    title: ClassVar[str] = "Prompt search"
    summary: ClassVar[str] = "a pretrained language model behind the best of several prompts, judged on validation rows"
    Settings: ClassVar[type[MethodSettings]] = PromptSearchSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"generation"})
    traits: ClassVar[Traits] = Traits(role="prompted", deterministic=False, reads="tokens", citation="zhou2023")

    @classmethod
    def needs(cls) -> Needs:
        """Return `search`: the network, and the time that a training may take."""
        return "search"

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return the rows of all rounds, and the examples of the longest prompt, which often does best."""
        left, judged, read = self.settings.trials, 0, 0
        for upto in rounds(left, min(validation, self.settings.validation_rows), least=_FIRST_ROWS):
            read += left * max(0, upto - judged)
            left, judged = -(-left // 2), max(judged, upto)
        count = min(max(self.settings.examples), train)
        own = "nearest" in self.settings.choose
        return NetworkReads(fit_rows=read, examples=count * own, shared_examples=count * (not own))

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Load the model and search.

        Raises:
            UserError: when there are no training rows, or no validation rows.

        """
        from showdown.tasks.generation.pretrained import load_pretrained

        if not len(validation):
            raise UserError("there are no validation rows to judge prompts by; give some")
        pretrained = load_pretrained(job, job.model)
        takes_system = _takes_system_messages(pretrained)
        prompts = prompts_to_try(
            train,
            instructions(self.settings.instructions) if takes_system else [None],
            self.settings.examples,
            self.settings.choose,
            trials=self.settings.trials,
            seed=job.seed,
        )
        writers = _writers(prompts, pretrained)
        rows = self._judged_by(validation, job.seed)
        judge = PromptJudge(
            lambda prompt, places: _worth(writers[prompt], [rows[place] for place in places]),
            len(prompts),
            self.journal,
            job.protocol.seconds_allowed,
        )
        best, tallies = successive_halving(len(prompts), len(rows), judge, least=_FIRST_ROWS)
        tried = tuple(_tried(prompt, tally) for prompt, tally in zip(prompts, tallies, strict=True) if tally.rows)
        self._found = Found(prompt=prompts[best], tried=tried)
        return Fitted(
            predictor=writers[best].anew(),
            trainable_parameters=0,
            total_parameters=pretrained.total_parameters,
            notes=(
                f"prompt search: of {len(tried)} prompts {prompts[best]} did best on {tallies[best].rows} validation "
                f"rows (mean token probability {tallies[best].score:.3f})",
                *judge.cut_note(tallies, len(rows)),
                *(() if takes_system else ("no instruction was tried: the chat template takes no system message",)),
            ),
        )

    def _judged_by(self, validation: Examples, seed: int) -> list[Pair]:
        """Return the validation rows that prompts are judged by, in an order drawn by the seed."""
        order = np.random.default_rng(seed).permutation(len(validation))[: self.settings.validation_rows]
        return [(validation.texts[place], validation.answers[place]) for place in order]

    def save(self, writer: "PromptedWriter", folder: Path) -> None:
        """Write the prompt, its examples or the rows to choose them from, and how each prompt did, as JSON."""
        write_text(folder / _FILE, self._found.model_dump_json())

    def load(self, folder: Path, job: Job) -> "PromptedWriter":
        """Read the prompt and load the model again.

        Raises:
            ValueError: when the file is damaged.

        """
        from showdown.tasks.generation.pretrained import load_pretrained

        self._found = Found.model_validate_json((folder / _FILE).read_bytes())
        return _writers([self._found.prompt], load_pretrained(job, job.model))[0]


def _takes_system_messages(pretrained: "Pretrained") -> bool:
    """Return whether the chat template lays out a system message; Gemma's does not."""
    chat = [Message(role="system", content="a"), Message(role="user", content="a")]
    try:
        pretrained.writer.layout.prompt(written_prompt(chat))
    except UserError:
        return False
    return True


def _writers(prompts: Sequence[Prompt], pretrained: "Pretrained") -> "list[PromptedWriter]":
    """Return a writer for each prompt. Prompts with the nearest rows share what finds these."""
    from showdown.tasks.generation.prompted import PromptedWriter

    finders: dict[int, Callable[[str], list[Pair]]] = {}
    for one in prompts:
        if one.demonstrations and id(one.demonstrations) not in finders:
            finders[id(one.demonstrations)] = chooser(one.demonstrations)
    return [
        PromptedWriter(pretrained, finders.get(id(one.demonstrations), lambda _: []), one.instruction)
        for one in prompts
    ]


def _worth(writer: "PromptedWriter", rows: Sequence[Pair]) -> Tally:
    """Return what a writer's prompt is worth on rows."""
    prompts, answers = zip(*rows, strict=True)
    losses = writer.losses_by_token(prompts, answers)
    return Tally(
        rows=len(losses),
        tokens=sum(map(len, losses)),
        probability_sum=sum(float(one.neg().exp().sum()) for one in losses),
        loss_sum=sum(float(one.sum()) for one in losses),
    )


def _tried(prompt: Prompt, tally: Tally) -> Tried:
    return Tried(prompt=str(prompt), rows=tally.rows, score=tally.score, loss=tally.loss)

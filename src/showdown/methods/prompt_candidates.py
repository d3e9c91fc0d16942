"""The prompts that a search tries: instructions, combined with numbers of examples and ways to choose these."""

from collections.abc import Sequence
from itertools import chain, cycle, islice
from typing import NamedTuple

import numpy as np

from showdown.core.examples import Examples
from showdown.core.strict import Strict
from showdown.methods.demonstrations import Choice, Demonstrations, demonstrations
from showdown.tasks.generation.composition import Instruction

INSTRUCTIONS = (
    "Answer with nothing but the answer: no introduction and no explanation.",
    "You are an expert in requests of this kind. Answer exactly as the request asks.",
    "Give the answer in the same form as for every other request of this kind.",
)
"""Instructions that suit any task. They stand behind the system message, as a paragraph of it."""


class Prompt(Strict):
    """A prompt that is tried."""

    instruction: Instruction | None = None
    """None leaves the system message as it is."""
    demonstrations: Demonstrations | None = None
    """None shows no examples."""

    def __str__(self) -> str:
        """Return it in words."""
        shown = self.demonstrations
        parts = [f"{shown.count} {shown.choose} examples"] if shown else []
        if self.instruction:
            parts.append(f"the instruction `{self.instruction.text}`")
        return " and ".join(parts) or "the prompt as it is"


class _Shape(NamedTuple):
    """How many examples a prompt shows, and how they are chosen."""

    examples: int
    choose: Choice


def instructions(own: Sequence[str]) -> list[Instruction | None]:
    """Return what is tried as an instruction: none, the general ones, and the user's in place of the system message."""
    general = [Instruction(text=text, replaces=False) for text in INSTRUCTIONS]
    return [None, *general, *(Instruction(text=text, replaces=True) for text in own)]


def prompts_to_try(
    train: Examples,
    instructions: Sequence[Instruction | None],
    counts: Sequence[int],
    ways: Sequence[Choice],
    *,
    trials: int,
    seed: int,
) -> list[Prompt]:
    """Return the prompts to try.

    Those without an instruction come first, then the others in an order drawn by the seed. Where trials are left, all
    with random examples come again, with other draws.

    Args:
        train: rows to take examples from.
        instructions: the first is None.
        counts: numbers of examples.
        ways: how examples are chosen.
        trials: the most prompts.
        seed: of all draws.

    Raises:
        UserError: when examples are wanted and there are no training rows.

    """
    shapes = list(dict.fromkeys(_Shape(count, way if count else "random") for count in counts for way in ways))
    first, *others = [[(one, shape) for shape in shapes] for one in instructions]
    rest = list(chain(*others))
    order = np.random.default_rng(seed).permutation(len(rest))
    once = [*first, *(rest[place] for place in order)]
    again = [pair for pair in once if pair[1].examples and pair[1].choose == "random"]
    all_rows: dict[int, Demonstrations] = {}
    prompts = []
    for number, (instruction, shape) in enumerate(islice(chain(once, cycle(again)), trials)):
        shown = all_rows.get(shape.examples) if shape.choose == "nearest" else None
        if shape.examples and shown is None:
            shown = demonstrations(
                train, train.answers, choose=shape.choose, count=shape.examples, seed=(seed, number), vary_answers=False
            )
        if shape.choose == "nearest" and shown:
            all_rows[shape.examples] = shown
        prompts.append(Prompt(instruction=instruction, demonstrations=shown))
    return prompts

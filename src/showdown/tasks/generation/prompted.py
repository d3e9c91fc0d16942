"""A language model that is shown an instruction and examples in front of each prompt.

Examples may take all positions of the network. `protocol.max_tokens`, which is for rows of data, is no limit for them.
Those that do not fit together with the prompt and its answer are left out, the ones furthest from the prompt first.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.chat import read_prompt, written_prompt
from showdown.core.predictor import Writer, Written
from showdown.tasks.generation.composition import Instruction, Pair, instructed, with_examples
from showdown.tasks.generation.pretrained import Pretrained


class PromptedWriter(Writer):
    """A pretrained writer whose prompts get an instruction and examples."""

    def __init__(
        self,
        pretrained: Pretrained,
        examples_for: Callable[[str], Sequence[Pair]],
        instruction: Instruction | None = None,
    ) -> None:
        """Prepare.

        Args:
            pretrained: the model.
            examples_for: returns the examples for a prompt, in the order in which they are shown.
            instruction: for every prompt; None leaves the system message as it is.

        """
        self.pretrained, self.examples_for, self.instruction = pretrained, examples_for, instruction
        self._left_out: dict[str, int] = {}
        """Examples that did not fit, by prompt."""

    def anew(self) -> "PromptedWriter":
        """Return the same writer, which has answered nothing yet."""
        return PromptedWriter(self.pretrained, self.examples_for, self.instruction)

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        """Write an answer to each prompt."""
        writer = self.pretrained.writer
        return writer.write_behind(
            [self._composed(prompt, writer.most)[1] for prompt in prompts], batch_rows=batch_rows
        )

    def token_losses(self, prompts: Sequence[str], answers: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return what the wanted answers cost behind instruction and examples, whose tokens do not count."""
        return np.array([[float(one.sum()), len(one)] for one in self.losses_by_token(prompts, answers)]).reshape(-1, 2)

    def losses_by_token(self, prompts: Sequence[str], answers: Sequence[str]) -> list[torch.Tensor]:
        """Return the loss of each token of the wanted answers, as `NetworkWriter` does."""
        writer = self.pretrained.writer
        rooms = [max(writer.most, writer.answer_tokens(answer)) for answer in answers]
        composed = [self._composed(prompt, room)[0] for prompt, room in zip(prompts, rooms, strict=True)]
        return writer.losses_by_token(composed, answers)

    def refusal(self, prompt: str) -> str | None:
        """Return that a prompt is too long by itself, without any example; None where it leaves an answer room."""
        bare = written_prompt(instructed(read_prompt(prompt), self.instruction))
        return self.pretrained.writer.refusal(bare)

    def _composed(self, prompt: str, room: int) -> tuple[str, list[int]]:
        """Return a prompt with its instruction and as many of its examples as fit, and its token ids.

        Args:
            prompt: what is asked.
            room: tokens that stay free for the answer.

        """
        chat, examples = read_prompt(prompt), list(self.examples_for(prompt))

        def composed(left_out: int) -> tuple[str, list[int]]:
            found = written_prompt(instructed(with_examples(chat, examples[left_out:]), self.instruction))
            return found, self.pretrained.writer.layout.prompt(found)

        whole, most = composed(0), self.pretrained.positions
        self._left_out[prompt] = 0
        if not examples or most is None or len(whole[1]) + room <= most:
            return whole
        self._left_out[prompt] = 1 + bisect_left(
            range(1, len(examples)), True, key=lambda left_out: len(composed(left_out)[1]) + room <= most
        )
        return composed(self._left_out[prompt])

    def notes(self) -> list[str]:
        """Return for how many prompts examples were left out."""
        short = [count for count in self._left_out.values() if count]
        if not short:
            return []
        limit = f"{self.pretrained.positions:,} tokens, which is all that the network takes"
        return [
            f"{len(short)} of {len(self._left_out)} different prompts were shown fewer examples, {sum(short)} in all: "
            f"with its answer a prompt may have {limit}"
        ]

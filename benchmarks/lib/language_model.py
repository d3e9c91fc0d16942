"""What `benchmarks.gpu.language_model` trains: a language model of Mistral-7B's shape on rows like instruction data.

The weights are random. All parties get the same weights, rows, order and rows a step; the loss counts answers alone.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.lib.instruction_lengths import instruction_lengths
from benchmarks.lib.workload import FULL_SHAPE, PAD, SMALL_SHAPE, TINY_SHAPE, draw_weights
from showdown.training.batches import effective_batches

RANK, ALPHA = 16, 16
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
EFFECTIVE_ROWS = 16
LEARNING_RATE = {"full": 2e-5, "lora": 1e-4, "qlora": 2e-4}
WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 1.0
WARMUP_STEPS = 4
SHAPES = {"7b": FULL_SHAPE, "1b": SMALL_SHAPE, "tiny": TINY_SHAPE}
IGNORED = -100
_FIRST_WORD = 10
"""Token ids below it are left to special tokens."""
_WORDS, _FOLLOWERS = 200, 4
"""Of `learnable` rows: different words, and how many may follow each."""


@dataclass(frozen=True, kw_only=True)
class Dialogues:
    """Token ids of each row, a prompt and its answer."""

    ids: list[torch.Tensor]
    prompt_tokens: list[int]

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [row.numel() for row in self.ids]

    def labels(self, row: int) -> torch.Tensor:
        """Return the row's ids with the prompt masked, as transformers takes labels: not shifted."""
        labels = self.ids[row].clone()
        labels[: self.prompt_tokens[row]] = IGNORED
        return labels


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one case trains on: the rows of each step."""

    rows: Dialogues
    warmup: list[list[int]]
    steps: list[list[int]]
    """Of one lap; every lap takes the same."""
    laps: int

    @cached_property
    def all_steps(self) -> list[list[int]]:
        """Return the steps of the whole training, in order."""
        return self.warmup + self.steps * self.laps

    @cached_property
    def lap_tokens(self) -> int:
        """Tokens of a lap, prompts included."""
        return sum(self.rows.lengths[row] for step in self.steps for row in step)


def dialogues(vocabulary: int) -> Dialogues:
    """Return rows of random tokens with the lengths of `benchmarks/data/instruction_lengths.json`."""
    generator = torch.Generator().manual_seed(0)
    pairs = instruction_lengths()
    ids = [torch.randint(_FIRST_WORD, vocabulary, (sum(pair),), generator=generator) for pair in pairs]
    return Dialogues(ids=ids, prompt_tokens=[pair.prompt for pair in pairs])


def work(vocabulary: int, *, steps: int, laps: int) -> Work:
    """Return the rows of each step: `steps` of them from all over the seeded epoch, several laps of the same.

    The warm-up begins with the step of most tokens, so that the allocator grows before anything is measured.
    """
    rows = dialogues(vocabulary)
    epoch = effective_batches(len(rows.ids), EFFECTIVE_ROWS, seed=0, epoch=0)
    if not 1 <= steps <= len(epoch):
        raise ValueError(f"a lap has 1 to {len(epoch)} steps, not {steps}")
    by_tokens = sorted(epoch, key=lambda step: -sum(rows.lengths[row] for row in step))
    warmup = [by_tokens[0], by_tokens[-1], *by_tokens[1 : WARMUP_STEPS - 1]]
    return Work(rows=rows, warmup=warmup, steps=epoch[:: len(epoch) // steps][:steps], laps=laps)


def learnable(vocabulary: int, *, steps: int) -> Work:
    """Return steps of rows that can be learned: each word is one of four that may follow the word before it.

    No row comes twice. The rows have the lengths and prompts of `dialogues`; there is no warm-up, and one lap.
    """
    generator = torch.Generator().manual_seed(0)
    words = min(_WORDS, vocabulary - _FIRST_WORD)
    followers = torch.randint(0, words, (words, _FOLLOWERS), generator=generator).tolist()
    ids = []
    for pair in instruction_lengths():
        word, row = 0, []
        for choice in torch.randint(0, _FOLLOWERS, (sum(pair),), generator=generator).tolist():
            word = followers[word][choice]
            row.append(_FIRST_WORD + word)
        ids.append(torch.tensor(row))
    rows = Dialogues(ids=ids, prompt_tokens=[pair.prompt for pair in instruction_lengths()])
    return Work(
        rows=rows, warmup=[], steps=effective_batches(len(ids), EFFECTIVE_ROWS, seed=0, epoch=0)[:steps], laps=1
    )


def configuration(shape: str, attention: str | None = None) -> Any:
    """Return the network's configuration.

    Args:
        shape: a key of `SHAPES`.
        attention: transformers' name of the attention; by default its own choice.

    """
    from transformers import MistralConfig

    return MistralConfig(
        **SHAPES[shape], bos_token_id=1, eos_token_id=PAD, pad_token_id=PAD, max_position_embeddings=32768,
        sliding_window=None, rms_norm_eps=1e-5, use_cache=False, dtype="bfloat16", architectures=["MistralForCausalLM"],
        **({"attn_implementation": attention} if attention else {}),
    )  # fmt: skip


def language_model(shape: str, *, four_bit: bool, device: str, attention: str | None = None) -> Any:
    """Return the network with seeded random bfloat16 weights; with `four_bit`, its layers' matrices are NF4."""
    from transformers import MistralForCausalLM

    with torch.device("meta"):
        model = MistralForCausalLM(configuration(shape, attention)).to(torch.bfloat16)
    draw_weights(model, dtype=torch.bfloat16, device=device, four_bit=four_bit)
    return model


def tokenizer(vocabulary: int) -> Any:
    """Return a tokenizer of words without meaning, for trainers that ask for one; rows have token ids already."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<unk>": 0, "<s>": 1, "</s>": PAD} | {f"w{number}": number for number in range(3, vocabulary)}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>",
        model_max_length=32768,
    )  # fmt: skip


def write_checkpoint(shape: str, folder: Path, *, device: str) -> None:
    """Write network and tokenizer as the hub has them, for parties that load nothing else."""
    model = language_model(shape, four_bit=False, device=device)
    model.save_pretrained(folder, max_shard_size="5GB")
    tokenizer(SHAPES[shape]["vocab_size"]).save_pretrained(folder)

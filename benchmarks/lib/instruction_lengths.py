"""Token counts of instruction data, which `benchmarks.gpu.language_model` trains on: pairs of prompt and answer.

    python -m benchmarks.lib.instruction_lengths    # draws them again, writes the file and prints their moments

No dataset is downloaded: the counts are drawn. Texts that people write are about log-normal in length, and so are the
prompts and the answers here, each by itself. A pair with a part that is too short, or that is too long together, is
drawn again. Python's own generator draws them, so that every version draws the same.
"""

import json
import math
import random
import statistics
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).resolve().parents[1] / "data" / "instruction_lengths.json"
PAIRS = 1024
SEED = 0
PROMPT_MEDIAN, PROMPT_SIGMA = 220, 0.80
ANSWER_MEDIAN, ANSWER_SIGMA = 110, 0.80
"""Tokens, and standard deviations of the natural logarithm."""
FEWEST_PROMPT_TOKENS, FEWEST_ANSWER_TOKENS = 16, 4
MOST_TOKENS = 2048
"""Of prompt and answer together."""


class Lengths(NamedTuple):
    """Tokens of one row."""

    prompt: int
    answer: int


def draw() -> list[Lengths]:
    """Return the pairs, drawn anew: always the same ones."""
    generator = random.Random(SEED)
    pairs: list[Lengths] = []
    while len(pairs) < PAIRS:
        pair = Lengths(
            prompt=round(generator.lognormvariate(math.log(PROMPT_MEDIAN), PROMPT_SIGMA)),
            answer=round(generator.lognormvariate(math.log(ANSWER_MEDIAN), ANSWER_SIGMA)),
        )
        if pair.prompt >= FEWEST_PROMPT_TOKENS and pair.answer >= FEWEST_ANSWER_TOKENS and sum(pair) <= MOST_TOKENS:
            pairs.append(pair)
    return pairs


def moments(pairs: list[Lengths]) -> dict[str, float]:
    """Return what the pairs are like on the whole."""
    totals = [sum(pair) for pair in pairs]
    logarithms = [math.log(total) for total in totals]
    return {
        "mean_prompt_tokens": round(statistics.mean(pair.prompt for pair in pairs), 1),
        "mean_answer_tokens": round(statistics.mean(pair.answer for pair in pairs), 1),
        "mean_tokens": round(statistics.mean(totals), 1),
        "median_tokens": statistics.median(totals),
        "standard_deviation_tokens": round(statistics.pstdev(totals), 1),
        "standard_deviation_of_logarithm": round(statistics.pstdev(logarithms), 3),
        "p95_tokens": statistics.quantiles(totals, n=20)[-1],
        "most_tokens": max(totals),
        "answers_share_of_tokens": round(sum(pair.answer for pair in pairs) / sum(totals), 3),
    }


def content() -> dict[str, Any]:
    """Return what the file holds, drawn anew."""
    pairs = draw()
    return {
        "how": f"python -m benchmarks.lib.instruction_lengths: log-normal, seed {SEED}; prompts median {PROMPT_MEDIAN} "
        f"and sigma {PROMPT_SIGMA}, at least {FEWEST_PROMPT_TOKENS}; answers median {ANSWER_MEDIAN} and sigma "
        f"{ANSWER_SIGMA}, at least {FEWEST_ANSWER_TOKENS}; at most {MOST_TOKENS} together; drawn, not counted in a "
        "dataset",
        "moments": moments(pairs),
        "pairs": [list(pair) for pair in pairs],
    }


def instruction_lengths() -> list[Lengths]:
    """Return the pairs of the file."""
    return [Lengths(*pair) for pair in json.loads(FILE.read_text(encoding="utf-8"))["pairs"]]


if __name__ == "__main__":
    FILE.write_text(json.dumps(content()) + "\n", encoding="utf-8")
    print(json.dumps(content()["moments"], indent=2))

"""Time of each score of written answers by the length of the answers, and what its libraries cost.

    python -m benchmarks.cpu.answer_scores --out benchmarks/results

Answers are random words of which half are the wanted ones. `rouge-score` is the package of that name, measured in turns
with `rouge_l`, which gives the same figures. A library's seconds and memory are those of a fresh process that imports
it, less those of one that imports nothing; each figure is the median of `REPEATS`, memory the peak in MB (1e6 bytes;
Linux).
"""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from rouge_score.rouge_scorer import RougeScorer

from benchmarks.lib.result import argument_parser, write_result
from showdown.tasks.generation.scorers.table import SCORERS

REPEATS = 5
LENGTHS = (30, 100, 300, 1000)
LIBRARIES = {"rouge-score": "rouge_score.rouge_scorer", "sacrebleu": "sacrebleu"}
FRESH = """
import time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
peak_kib = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(seconds, int(peak_kib) * 1024 / 1e6)
"""


def answers(words: int) -> tuple[str, str]:
    """Return a wanted and a written answer of so many words."""
    generator = random.Random(words)
    vocabulary = ["".join(generator.choices("etaoinshrdlu", k=generator.randint(2, 9))) for _ in range(2000)]
    wanted = generator.choices(vocabulary, k=words)
    written = [generator.choice([word, generator.choice(vocabulary)]) for word in wanted]
    return " ".join(wanted), " ".join(written)


def milliseconds(wanted: str, written: str) -> Mapping[str, float]:
    """Return the time of one answer by each score; the scores are called in turns."""
    scores: dict[str, Callable[[str, str], object]] = {key: one.function() for key, one in SCORERS.items()}
    scores["rouge-score"] = RougeScorer(["rougeL"]).score
    taken: dict[str, list[float]] = {key: [] for key in scores}
    for _ in range(REPEATS):
        for key, score in scores.items():
            start = time.perf_counter()
            score(wanted, written)
            taken[key].append(1e3 * (time.perf_counter() - start))
    return {key: round(statistics.median(values), 4) for key, values in taken.items()}


def import_cost(module: str) -> Mapping[str, float]:
    """Return seconds and memory of importing a module."""

    def fresh(name: str) -> tuple[float, float]:
        told = subprocess.run(
            [sys.executable, "-c", FRESH.format(module=name)], capture_output=True, text=True, check=True
        ).stdout.split()
        return float(told[0]), float(told[1])

    seconds, memory = zip(*(fresh(module) for _ in range(REPEATS)), strict=True)
    empty = statistics.median(fresh("sys")[1] for _ in range(REPEATS))
    return {"seconds": round(statistics.median(seconds), 2), "memory_mb": round(statistics.median(memory) - empty, 1)}


def main() -> None:
    """Measure, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    results = {
        "milliseconds_of_an_answer_by_words": {words: milliseconds(*answers(words)) for words in LENGTHS},
        "import": {name: import_cost(module) for name, module in LIBRARIES.items()},
    }
    for key, value in results.items():
        print(key)
        for name, figures in value.items():
            print(f"  {name}: {figures}")
    write_result(options, results)


if __name__ == "__main__":
    main()

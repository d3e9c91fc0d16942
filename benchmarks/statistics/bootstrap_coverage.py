"""How often the bootstrap's 95 % interval of a mean loss a token holds the truth, by the number of duplicate groups.

    python -m benchmarks.statistics.bootstrap_coverage --out benchmarks/results

Perplexity is the exponential of this mean, so its interval holds the truth as often. Each simulated test set has groups
of one to eight rows of 5 to 29 tokens; the loss of a row is the product of a gamma variable of its group (shape 4), one
of its own (shape 16) and its tokens, so that rows of a group are alike and losses are skewed. `together` keeps the rows
of a group together, as the product does; `as_single_rows` takes each row for independent.
"""

import numpy as np
import numpy.typing as npt

from benchmarks.lib.result import argument_parser, write_result
from showdown.tasks.generation.scorers.bootstrap import Floats, bootstrap_interval

GROUPS = (5, 12, 50, 200)
TRIALS = 2000
RESAMPLES = 400
"""Fewer than the product's 2000: an end of an interval is less certain, which hardly changes how often it is right."""
TRUTH = 1.0


def mean_loss(sums: Floats) -> Floats:
    """Return the mean loss a token of summed losses and tokens."""
    return sums[..., 0] / sums[..., 1]


def simulated(generator: np.random.Generator, groups: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return loss and tokens of each row, shape (rows, 2), and the rows' groups; the true mean loss is `TRUTH`."""
    index = np.repeat(np.arange(groups), generator.integers(1, 9, groups))
    of_group = generator.gamma(4.0, 1 / 4, groups)[index]
    of_row = generator.gamma(16.0, 1 / 16, len(index))
    tokens = generator.integers(5, 30, len(index))
    return np.stack([TRUTH * of_group * of_row * tokens, tokens.astype(np.float64)], axis=1), index


def coverage(groups: int, *, together: bool, trials: int) -> float:
    """Return in which share of simulated test sets the interval holds the truth."""
    generator = np.random.default_rng(groups)
    held = 0
    for trial in range(trials):
        statistics, index = simulated(generator, groups)
        units = index if together else np.arange(len(index))
        found = bootstrap_interval(statistics, mean_loss, units, seed=trial, resamples=RESAMPLES)
        held += found is not None and found[0] <= TRUTH <= found[1]
    return held / trials


def main() -> None:
    """Simulate, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--trials", type=int, default=TRIALS, help="simulated test sets for each number of groups")
    options = parser.parse_args()
    results = {
        "trials": options.trials,
        "coverage_by_groups": {
            name: {groups: coverage(groups, together=together, trials=options.trials) for groups in GROUPS}
            for name, together in (("together", True), ("as_single_rows", False))
        },
    }
    print(results)
    write_result(options, results)


if __name__ == "__main__":
    main()

"""Write what the comparison of all methods found into docs/methods.md, as its last three sections.

showdown run comparisons/zoo.yaml --output showdown-out/zoo
python docs/zoo.py showdown-out/zoo docs/methods.md

Words behind that are a note on how it was run, for the page.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import showdown
from showdown.core.record import Results
from showdown.report.facts import place
from showdown.report.markdown import marked_table
from showdown.report.markdown_text import escaped, grid, spaced
from showdown.report.table import comparison_table
from showdown.stages.results import TuneStage
from showdown.verdict.model import ArmVerdict

TITLE = "## All methods side by side"
_GIGA = 1e9


@dataclass(frozen=True, kw_only=True)
class Published:
    """A result of PEFT's method comparison, as its file in the repository has it."""

    arm: str
    """The method's name here."""
    setting: str
    accuracy: float
    memory_bytes: int
    """`cuda_memory_max` or `accelerator_memory_max`: the most that was reserved."""
    train_seconds: float
    trained: int
    date: str
    version: str


BOARD = (
    Published(
        arm="rslora",
        setting="lora, rank 64, rsLoRA",
        accuracy=0.5299469294920395,
        memory_bytes=22538092544,
        train_seconds=1871.457509397991,
        trained=18350080,
        date="2025-06-19",
        version="0.15.2.dev0",
    ),
    Published(
        arm="full",
        setting="full-finetuning, rate 1e-5",
        accuracy=0.5003790750568613,
        memory_bytes=37241225216,
        train_seconds=3111.3685010060144,
        trained=3212749824,
        date="2025-06-20",
        version="0.15.2.dev0",
    ),
    Published(
        arm="dora",
        setting="lora, rank 32, DoRA",
        accuracy=0.4943138741470811,
        memory_bytes=24540872704,
        train_seconds=1208.5960164869612,
        trained=9289728,
        date="2026-01-07",
        version="0.18.1.dev0",
    ),
    Published(
        arm="oft",
        setting="oft, rank 32",
        accuracy=0.4935557240333586,
        memory_bytes=22328377344,
        train_seconds=2166.5656557240145,
        trained=8171520,
        date="2025-10-23",
        version="0.17.2.dev0",
    ),
    Published(
        arm="lora",
        setting="lora, rank 32",
        accuracy=0.48218347232752085,
        memory_bytes=22273851392,
        train_seconds=1796.1857790169925,
        trained=9175040,
        date="2025-06-19",
        version="0.15.2.dev0",
    ),
    Published(
        arm="ia3",
        setting="ia3, rate 1e-3",
        accuracy=0.3980288097043215,
        memory_bytes=23234347008,
        train_seconds=943.8326646439818,
        trained=286720,
        date="2026-07-15",
        version="0.19.2.dev0",
    ),
    Published(
        arm="vera",
        setting="vera, rank 256",
        accuracy=0.3684609552691433,
        memory_bytes=21596471296,
        train_seconds=1819.9693055349999,
        trained=129024,
        date="2025-06-19",
        version="0.15.2.dev0",
    ),
    Published(
        arm="prompt",
        setting="prompt_tuning, 200 tokens, rate 1e-3",
        accuracy=0.25246398786959817,
        memory_bytes=24408752128,
        train_seconds=2394.4007484640024,
        trained=614400,
        date="2025-06-20",
        version="0.15.2.dev0",
    ),
    Published(
        arm="prefix",
        setting="prefixtuning, 200 tokens, rate 1e-3",
        accuracy=0.1470811220621683,
        memory_bytes=20912799744,
        train_seconds=1661.6597991429953,
        trained=11468800,
        date="2025-06-19",
        version="0.15.2.dev0",
    ),
    Published(
        arm="layernorm",
        setting="ln_tuning, rate 1e-4",
        accuracy=0.0,
        memory_bytes=21179138048,
        train_seconds=932.5060424090188,
        trained=175104,
        date="2026-01-07",
        version="0.18.1.dev0",
    ),
)
"""From `method_comparison/MetaMathQA/results` of github.com/huggingface/peft, the highest accuracy first: figures as
the files have them, in one version of each."""
_ABOUT_BOARD = (
    "[PEFT's method comparison](https://github.com/huggingface/peft/tree/main/method_comparison) trains Llama-3.2-3B "
    "on 20,000 rows of MetaMathQA in 5,000 steps of 4 rows, at one learning rate a method, with one seed, and tests on "
    "the 1,319 problems of GSM8K, all on an NVIDIA L40S. Here an encoder of 22.7 M parameters sorts short texts, with "
    "tuned rates and three seeds. The accuracies cannot be set beside each other. The order of the methods can, and "
    "what each costs as a multiple of LoRA. PEFT's seconds are from different versions of its software, and are "
    "compared within one alone. Of its results, those of methods that are here too:"
)
_MULTIPLES = (0.32, 1.0, 3.16)
"""Of the default rate: what three trials of the protocol's grid try."""
_ABOUT_RATES = (
    "Probability of the true label on the validation rows after the best of six epochs, mean over seeds, at each "
    "multiple of the default rate that the search tried. Six epochs are few: a low rate may win when a training goes "
    "on until it has converged."
)
_ON_BOARD = (
    "The 1,319 problems alone give PEFT's accuracies a standard error of 1.4 points, and a run of it that was repeated "
    "with the same settings and seed moved by 2.0 points at the median. Beside that, its first five are close "
    "together. The 0 % of LayerNorm tuning is that of one untuned rate: its training loss hardly fell."
)


def told_together(names: Sequence[str], different: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the largest groups in which no two were shown to differ, in the order of the names.

    This is a compact letter display (Piepho 2004): each pair without a shown difference shares a group.

    Args:
        names: of all rows, the best first.
        different: pairs that were shown to differ.

    """
    groups = [frozenset(names)] if names else []
    for first, second in different:
        split = [part for group in groups for part in _split(group, first, second)]
        groups = [one for one in dict.fromkeys(split) if not any(one < other for other in split)]
    ordered = [[name for name in names if name in group] for group in groups]
    return sorted(ordered, key=lambda group: names.index(group[0]))


def _split(group: frozenset[str], first: str, second: str) -> list[frozenset[str]]:
    return [group - {first}, group - {second}] if {first, second} <= group else [group]


def section(folder: Path, note: str) -> str:
    """Return all sections of the results in a folder."""
    results, verdict = showdown.load(folder), showdown.judge(folder)
    table = comparison_table(results, verdict)
    scored = [row for row in verdict.rows if row.score]
    names = [row.name for row in scored]
    groups = told_together(names, [(pair.first, pair.second) for pair in verdict.pairs if pair.different])
    return spaced(
        [
            TITLE,
            "`comparisons/zoo.yaml` runs every method that can sort texts on the quickstart's data. Made again by:",
            "```\nshowdown run comparisons/zoo.yaml --output showdown-out/zoo\n"
            "python docs/zoo.py showdown-out/zoo docs/methods.md\n```",
            f"{escaped(str(place(results)))}.{' ' if note else ''}{note}",
            marked_table(table),
            *(escaped(line) for line in table.marks),
            "Within each of these groups no two methods could be told apart, at 5 % over all pairs (Holm):",
            *(f"- {', '.join(f'`{name}`' for name in group)}" for group in groups),
            "What the verdict says:",
            *(f"- {escaped(line)}" for line in table.verdict),
            "## Default learning rates",
            _ABOUT_RATES,
            rates(folder, results),
            "## Beside PEFT's public board",
            _ABOUT_BOARD,
            board(scored),
            _ON_BOARD,
        ]
    )


def rates(folder: Path, results: Results) -> str:
    """Return what the trials of each row scored at each multiple of its method's default rate, by mean over seeds."""
    trials: dict[str, list[TuneStage]] = {}
    for run in results.runs:
        file = folder / "runs" / run.run_id / "tune.json"
        if file.is_file():
            trials.setdefault(run.name, []).append(TuneStage.model_validate_json(file.read_bytes()))
    rows = []
    for name, stages in trials.items():
        found: dict[float, list[float]] = {}
        default = stages[0].trials[0].learning_rate  # the first trial of a search is at the default
        for trial in (trial for stage in stages for trial in stage.trials):
            found.setdefault(round(trial.learning_rate / default, 2), []).append(trial.score or 0.0)
        chosen = [round(stage.learning_rate / default, 2) for stage in stages]
        means = [f"{mean(found[one]):.2f}" if one in found else "" for one in _MULTIPLES]
        rows.append([name, f"{default:.2g}", *means, ", ".join(f"{one:g}" for one in chosen)])
    return grid(["Row", "Default", *(f"x {one:g}" for one in _MULTIPLES), "Chosen, by seed"], rows, left=1)


def board(scored: Sequence[ArmVerdict]) -> str:
    """Return PEFT's results with those of the same methods here: the place in the order, and costs beside LoRA's."""
    found = {row.name: row for row in scored}
    order = [row.name for row in scored if row.name in {one.arm for one in BOARD}]
    lora, other = found.get("lora"), next(one for one in BOARD if one.arm == "lora")
    headings = [
        *("Method", "PEFT's setting", "PEFT, date", "GSM8K %", "Memory GB", "Train s", "Memory / LoRA", "Train / LoRA"),
        *("Place there", "Place here", "Memory / LoRA here", "Train / LoRA here"),
    ]
    rows = []
    for number, one in enumerate(BOARD, start=1):
        here = found.get(one.arm)
        rows.append(
            [
                one.arm,
                one.setting,
                f"{one.version}, {one.date}",
                f"{100 * one.accuracy:.1f}",
                f"{one.memory_bytes / _GIGA:.1f}",
                f"{one.train_seconds:.0f}",
                f"{one.memory_bytes / other.memory_bytes:.2f}",
                f"{one.train_seconds / other.train_seconds:.2f}" if one.version == other.version else "other version",
                str(number),
                str(order.index(one.arm) + 1) if here else "no score",
                _ratio(here and here.memory_gb, lora and lora.memory_gb),
                _ratio(here and here.train_seconds, lora and lora.train_seconds),
            ]
        )
    return grid(headings, rows, left=3)


def _ratio(value: float | None, of: float | None) -> str:
    return f"{value / of:.2f}" if value is not None and of else ""


def main() -> None:
    """Replace the sections in the page, or add them at its end."""
    output, page = Path(sys.argv[1]), Path(sys.argv[2])
    kept = page.read_text(encoding="utf-8").partition(TITLE)[0].rstrip() if page.is_file() else "# Methods"
    page.write_text(f"{kept}\n\n{section(output, ' '.join(sys.argv[3:]))}", encoding="utf-8")
    sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main()

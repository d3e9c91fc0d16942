"""Write what the comparison of all methods found into docs/methods.md, as its last two sections.

showdown run comparisons/zoo.yaml --output showdown-out/zoo
python docs/zoo.py showdown-out/zoo docs/methods.md
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import showdown
from showdown.core.record import Results
from showdown.report.facts import place
from showdown.report.markdown import marked_table
from showdown.report.markdown_text import escaped, grid, spaced
from showdown.report.table import comparison_table
from showdown.verdict.model import ArmVerdict, Verdict

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
        arm="prompt-tuning",
        setting="prompt_tuning, 200 tokens, rate 1e-3",
        accuracy=0.25246398786959817,
        memory_bytes=24408752128,
        train_seconds=2394.4007484640024,
        trained=614400,
        date="2025-06-20",
        version="0.15.2.dev0",
    ),
    Published(
        arm="prefix-tuning",
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


def section(results: Results, verdict: Verdict) -> str:
    """Return both sections."""
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
            f"{escaped(str(place(results)))}.",
            marked_table(table),
            *(escaped(line) for line in table.marks),
            "Within each of these groups no two methods could be told apart, at 5 % over all pairs (Holm):",
            *(f"- {', '.join(f'`{name}`' for name in group)}" for group in groups),
            "What the verdict says:",
            *(f"- {escaped(line)}" for line in table.verdict),
            "## Beside PEFT's public board",
            _ABOUT_BOARD,
            board(scored),
            _ON_BOARD,
        ]
    )


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
    page.write_text(f"{kept}\n\n{section(showdown.load(output), showdown.judge(output))}", encoding="utf-8")
    sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main()

"""Write the table of all methods into docs/methods.md, from their classes. What stands below the table stays.

python docs/methods.py            # or: make docs
"""

import re
import sys
from pathlib import Path

from showdown.core.method import Method, TunedMethod
from showdown.core.traits import Reference, Traits
from showdown.methods.full import Full
from showdown.methods.table import METHODS, method_class

PAGE = Path(__file__).with_name("methods.md")
END = "<!-- The table above is made by `make docs`; what stands below this line stays. -->\n"
_REFERENCES = Path(__file__).parent.parent / "src" / "showdown" / "report" / "latex" / "references.txt"
_EMPHASIS = re.compile(r"\\emph\{(.*?)\}")
_HEAD = """# Methods

All that can compete, what each does and when to take it. `showdown methods` prints the same lines. The settings of each
are in the [configuration](configuration.md); [adding a method](adding-a-method.md) is one file and one line.

"Rate" is the default learning rate as a multiple of that of full fine-tuning, for methods that train a network; the
docstring in the method's file says where it is from. "Writes" marks methods that can write answers too.

| method | what it does, and when to take it | cost | rate | writes | source |
| --- | --- | --- | ---: | --- | --- |
"""
_COST = {"floor": "none", "cheap": "seconds on a CPU", "prompted": "no training; long prompts"}
"""By role, of methods that train no network."""


def page(below: str = "") -> str:
    """Return the page.

    Args:
        below: what stands below the table.

    """
    papers = _papers()
    rows = [_row(name, method_class(name), papers) for name in METHODS if METHODS.package(name) is None]
    return "\n".join([_HEAD.rstrip(), *rows, "", END]) + below


def below_table(written: str) -> str:
    """Return what stands below the table of a page."""
    return written.partition(END)[2]


def _row(name: str, method: type[Method], papers: dict[str, str]) -> str:
    cells = (
        f"`{name}`<br>{method.title}",
        method.summary,
        _cost(method),
        f"{method.rate_factor:g}" if issubclass(method, TunedMethod) else "",
        "yes" if "generation" in method.tasks else "",
        _source(method.traits, papers),
    )
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _cost(method: type[Method]) -> str:
    if not issubclass(method, TunedMethod):
        return _COST.get(method.traits.role, "")
    built = method(method.Settings())
    if issubclass(method, Full):
        moments = "moments" if built.optimizer == "adamw" else "smaller moments"
        return f"gradients and {moments} of all weights; saves the whole network"
    share = "a quarter of " if built.options.four_bit else "half of " if built.options.fp8 else ""
    return f"{share}the frozen weights' memory; saves what it learned alone"


def _source(traits: Traits, papers: dict[str, str]) -> str:
    """Return the paper, as a link to arXiv where it says its number."""
    if traits.citation is None:
        return ""
    text = traits.citation.text if isinstance(traits.citation, Reference) else papers[traits.citation]
    number = re.search(r"arXiv[: ]*(\d{4}\.\d{4,5})", text)
    return (
        f"[arXiv {number[1]}](https://arxiv.org/abs/{number[1]})"
        if number
        else _EMPHASIS.sub(r"*\1*", text).replace("--", "-")
    )


def _papers() -> dict[str, str]:
    """Return the references of the report by their keys."""
    entries = _REFERENCES.read_text(encoding="utf-8").strip().split("\n\n")
    return {key: " ".join(text.split()) for key, _, text in (entry.partition("\n") for entry in entries)}


if __name__ == "__main__":
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(page(below_table(written)), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")

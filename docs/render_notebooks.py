"""Execute the notebooks and write each as a page of the documentation.

    python docs/render_notebooks.py                                    # into docs/notebooks
    python docs/render_notebooks.py --model FOLDER --output pages      # on another model: one cell is changed

They are run in a temporary folder, one after the other, so that each goes on where the one before it ended.
"""

import argparse
import re
import tempfile
import time
from base64 import b64decode
from html import unescape
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PAGES = Path(__file__).parent / "notebooks"
PICTURES = "images"
MOST_SECONDS = 1800
"""Of one cell: a full fine-tuning on a busy machine."""
_MODEL = re.compile(r'^MODEL = ".*"$', re.MULTILINE)
_LOOKS = re.compile(r'<style.*?</style>|\n\s*| (?:border|class|style)="[^"]*"', re.DOTALL)
"""Of a table of pandas: the site has its own."""
_PICTURE = re.compile(r'<img src="data:image/svg\+xml;base64,([^"]*)" alt="([^"]*)">')


def read(path: Path, model: str | None = None) -> Any:
    """Read a notebook from its text, with another model where one is named."""
    text = path.read_text(encoding="utf-8")
    return jupytext.reads(text if model is None else _MODEL.sub(f"MODEL = {model!r}", text), fmt="py:percent")


def executed(path: Path, folder: Path, model: str | None = None) -> Any:
    """Run a notebook in a folder and return it with its outputs."""
    notebook = read(path, model)
    NotebookClient(
        notebook,
        timeout=MOST_SECONDS,
        extra_arguments=["--log-level=ERROR"],  # it warns of its own port, which is on the loopback
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    return notebook


def page(notebook: Any, name: str, pictures: Path) -> str:
    """Return an executed notebook as Markdown, and write its pictures."""
    parts = []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            parts.append(f"```python\n{cell.source}\n```")
            outputs = _merged(cell.outputs)
            parts += [_output(one, f"{name}-{place}", pictures) for one in outputs]
    return "\n\n".join(filter(None, parts)) + "\n"


def _merged(outputs: list[Any]) -> list[Any]:
    """Return outputs with lines that were printed one after the other as one."""
    found: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].output_type == "stream":
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def _output(output: Any, name: str, pictures: Path) -> str:
    if output.output_type == "stream":
        return f"```text\n{output.text.strip()}\n```"
    if "text/html" not in output.data:
        return f"```text\n{output.data['text/plain']}\n```"

    def picture(found: "re.Match[str]") -> str:
        file = pictures / f"{name}.svg"
        file.write_bytes(b64decode(found[1]))
        words = re.sub(r"([\[\]])", r"\\\1", unescape(found[2]))
        return f"\n\n![{words}]({PICTURES}/{file.name})\n\n"

    html = _LOOKS.sub("", output.data["text/html"])
    return _PICTURE.sub(picture, html).strip()


def _found(model: str) -> str:
    """Return a folder with its whole path, since notebooks run elsewhere, and any other name as it is."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def main() -> None:
    """Run all notebooks, and write their pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=_found, help="in place of the one in the notebooks")
    parser.add_argument("--output", type=Path, default=PAGES, help="folder of the pages")
    given = parser.parse_args()
    done = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(NOTEBOOKS.glob("*.py")):
            began = time.monotonic()
            done[path.stem] = executed(path, Path(folder), given.model)
            print(f"{path.name}: {time.monotonic() - began:.0f} s", flush=True)
    # Written at the end: with a page that is new, later runs would record another state of the repository.
    pictures = given.output / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    for name, notebook in done.items():
        (given.output / f"{name}.md").write_text(page(notebook, name, pictures), encoding="utf-8")


if __name__ == "__main__":
    main()

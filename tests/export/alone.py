"""Run as a program: answers texts with exported models as their own cards say, and by transformers' pipeline.

Standard input: JSON of the folders and of the texts. Standard output: JSON of the answers of each folder. Bases are
looked for in the current folder. Showdown must not be importable: Python is started in isolated mode, and the editable
install is taken off the path.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__ + str(finder)]
sys.path[:] = [place for place in sys.path if not (Path(place) / "showdown").is_dir()]


def code_of(card: str) -> str:
    return card.split("```python\n")[1].split("```", maxsplit=1)[0]


def main() -> None:
    assert importlib.util.find_spec("showdown") is None
    folders, texts = json.loads(sys.stdin.read())
    found = []
    for folder in map(Path, folders):
        place = 'folder, texts = ".", ["a text"]'
        code = code_of((folder / "README.md").read_text(encoding="utf-8"))
        assert place in code
        assert "showdown" not in code
        names: dict[str, Any] = {}
        exec(code.replace(place, f"folder, texts = {str(folder)!r}, {texts!r}"), names)
        answers = {"card": names["answers"]}
        if (folder / "model.safetensors").is_file():
            answers["pipeline"] = by_pipeline(folder, texts, names)
        found.append(answers)
    assert not any(name.partition(".")[0] == "showdown" for name in sys.modules)
    print(json.dumps(found))


def by_pipeline(folder: Path, texts: list[str], names: dict[str, Any]) -> list[str]:
    from transformers import pipeline

    if "system" not in names:
        return [one["label"] for one in pipeline("text-classification", model=str(folder))(texts, truncation=True)]
    write = pipeline("text-generation", model=str(folder))
    chats = [[{"role": "system", "content": names["system"]}, {"role": "user", "content": text}] for text in texts]
    return [write(chat)[0]["generated_text"][-1]["content"].strip() for chat in chats]


if __name__ == "__main__":
    main()

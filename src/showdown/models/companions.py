"""The files that let others open a saved model with plain transformers and PEFT: tokenizer, labels, base, card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.artifact import CONFIDENCE_FILE, LABELS_FILE, MODEL_FILE
from showdown.core.files import write_json, write_text
from showdown.core.method import Job, Method, TunedMethod
from showdown.core.task import CardText
from showdown.models.built_in import quantised_before
from showdown.models.folder import ADAPTER_CONFIG, is_tokenizer_file
from showdown.models.source import public_name
from showdown.models.tokens import load_tokenizer

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

CARD = "README.md"
_MODEL_FOR_TASK = "ModelForTask"
_CARD = """---
library_name: {library}
pipeline_tag: {pipeline_tag}
---

# {title}

{summary}. {about}

- Base: `{base}`, {revision}{rounded}
- Method: `{method}`, seed {seed}

```python
{opening}
{use}
```
"""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How a saved model is opened without Showdown, in Python.

    `AutoModelForTask` and `AutoPeftModelForTask` stand for the classes of transformers and PEFT that the task takes.
    """

    imports: str
    """Lines that import from libraries, beside `json` and `torch`."""
    opening: str
    """Makes `model` from `folder`, `labels`, `tokenizer` and `base`, the base's name. Its lines about labels are left
    out where the task has none."""
    scoring: str | None = None
    """Makes `scores`, shape (texts, labels), from `model` and `inputs`; indented. None is the task's own way."""

    def code(self, base: str, job: Job, words: CardText) -> str:
        """Return what comes before the texts are answered.

        Args:
            base: the base's public name.
            job: what the method was given.
            words: of the job's task.

        """
        task, opening = job.task, self.opening.splitlines()
        lines = (
            ["import json", "", "import torch", self.imports, *([words.imports] if words.imports else []), ""]
            + ['folder, texts = ".", ["a text"]']
            + ([f"base = {base!r}"] if "(base)" in self.opening else [])
            + [words.reads, "tokenizer = AutoTokenizer.from_pretrained(folder)"]
            + [line for line in opening if job.labels or "label" not in line]
        )
        return "\n".join(lines).replace(_MODEL_FOR_TASK, task.auto_class.removeprefix("Auto"))


def save_for_others(
    method: TunedMethod, module: "nn.Module", folder: Path, *, job: Job, base: Path, limit: int
) -> None:
    """Save what a method trained, and beside it the files that others need.

    Args:
        method: its `save` writes the model.
        module: the trained network.
        folder: an existing, empty folder.
        job: what the method was given.
        base: folder of the pretrained model.
        limit: tokens after which texts are cut.

    """
    method.save(module, folder)
    write_companions(
        folder, load_tokenizer(base, job.model.chat_template), job, limit, method=method, usage=method.usage(module)
    )


def write_companions(
    folder: Path, tokenizer: "PreTrainedTokenizerBase", job: Job, limit: int, *, method: Method, usage: Usage
) -> None:
    """Write tokenizer, labels and card beside a saved model, and name its base as others can find it.

    Args:
        folder: what a method wrote.
        tokenizer: the model's, loaded anew from its folder, so that no earlier call has set its truncation.
        job: what the method was given.
        limit: tokens after which texts are cut; the saved tokenizer cuts there too.
        method: the method, for its title and summary.
        usage: how it is opened.

    """
    base = public_name(job.model)
    write_tokenizer(folder, tokenizer, job, limit)
    revision = job.model.revision
    before = quantised_before(job.model)
    words = _words(job, usage, tokenizer=tokenizer, limit=limit)
    card = _CARD.format(
        library="peft" if (folder / ADAPTER_CONFIG).is_file() else "transformers",
        title=f"{method.title}: {words.heading}",
        summary=method.summary[:1].upper() + method.summary[1:],
        about=words.about,
        base=base,
        revision=f"revision `{revision}`" if revision else "no revision",
        rounded=f"; trained from a copy whose weights had been rounded to {before}" if before else "",
        method=type(method).__name__.lower(),
        seed=job.seed,
        opening=usage.code(base, job, words),
        pipeline_tag=job.task.pipeline_tag,
        use=words.use,
    )
    write_text(folder / CARD, card)


def write_tokenizer(folder: Path, tokenizer: "PreTrainedTokenizerBase", job: Job, limit: int) -> None:
    """Write tokenizer and labels beside a saved model, and name its base as others can find it.

    Args:
        folder: with what a method or a form wrote.
        tokenizer: as in `write_companions`.
        job: what the method was given.
        limit: tokens after which texts are cut; the saved tokenizer cuts there too.

    """
    tokenizer.model_max_length = limit
    if job.labels:
        write_json(folder / LABELS_FILE, list(job.labels))
    else:  # others lay out chats with it, whose special tokens are no text
        tokenizer.split_special_tokens = tokenizer.init_kwargs["split_special_tokens"] = False
    tokenizer.save_pretrained(folder)
    for name in ("config.json", ADAPTER_CONFIG):
        if (folder / name).is_file():
            _name_base(folder / name, public_name(job.model), job, pad_token_id=int(tokenizer.pad_token_id))


def usage_code(base: str, job: Job, usage: Usage, *, tokenizer: "PreTrainedTokenizerBase", limit: int) -> str:
    """Return the Python that answers texts with a saved model, without Showdown.

    Args:
        base: the base's public name.
        job: what the method was given.
        usage: how the model is opened.
        tokenizer: as it is saved beside the model.
        limit: tokens after which texts are cut.

    """
    words = _words(job, usage, tokenizer=tokenizer, limit=limit)
    return f"{usage.code(base, job, words)}\n{words.use}"


def _words(job: Job, usage: Usage, *, tokenizer: "PreTrainedTokenizerBase", limit: int) -> CardText:
    return job.task.card(tokenizer, labels=job.labels, protocol=job.protocol, limit=limit, scoring=usage.scoring)


def is_companion(path: Path) -> bool:
    """Return whether a file of a saved model only describes it, and is no part of what was learned."""
    return path.name in (LABELS_FILE, CARD, MODEL_FILE, CONFIDENCE_FILE) or is_tokenizer_file(path)


def _name_base(path: Path, base: str, job: Job, *, pad_token_id: int) -> None:
    """Put the base's public name into a configuration, and the padding token where a network looks for it."""
    written = json.loads(path.read_text(encoding="utf-8"))
    if path.name == ADAPTER_CONFIG:
        commit = job.model.revision if job.model.revision and ":" not in job.model.revision else None
        written |= {"base_model_name_or_path": base, "revision": commit}
    else:
        written.pop("_name_or_path", None)
        written.setdefault("pad_token_id", None)
        if written["pad_token_id"] is None:
            written["pad_token_id"] = pad_token_id
    write_json(path, written)

"""What a comparison was: its data, its model, where it ran and how to run it again, as keys and values."""

import io
from collections.abc import Iterator
from typing import Any

from showdown.core.record import Results
from showdown.core.task_keys import shown_keys
from showdown.report.columns import columns_of

Fact = tuple[str, str]
_CALLED = {
    "cpu": "processor",
    "cpu_threads": "threads",
    "memory_gb": "memory, GB",
    "gpu": "GPU",
    "gpu_memory_gb": "GPU memory, GB",
}
"""What facts of the machine are called, with their units."""
_SECTIONS = ("data", "model", "protocol")
"""Of a comparison, those in which a task has keys of its own."""


def data_facts(results: Results) -> list[Fact]:
    """Return source, fingerprint and labels, and the audit's counts where it left no sentences (see `audited`)."""
    requested, audit = results.comparison.get("data") or {}, results.data.get("audit") or {}
    files = {side: path for side, path in (requested.get("files") or {}).items() if path}
    source = ", ".join(f"{path} ({side})" for side, path in files.items()) or requested.get("source")
    found = [("source", _said(source))] if source else []
    found += [
        ("fingerprint", _said(results.data.get("fingerprint"))),
    ]
    found += [("labels", str(len(results.data.get("labels", []))))] if columns_of(results.task).by_label else []
    counts = [(key, value) for key, value in _leaves(audit) if isinstance(value, (int, float))]
    return (
        found
        if audited(results)
        else found + [(key.replace("_", " ").replace(".", ", "), _said(value)) for key, value in counts]
    )


def audited(results: Results) -> list[str]:
    """Return what the audit found, a line each; empty for results of older versions."""
    return [str(line) for line in results.data.get("notices") or ()]


def model_facts(results: Results) -> list[Fact]:
    """Return the pretrained model that every method starts from, as it was found; empty where nothing ran."""
    models = dict.fromkeys((run.spec.model.id, _said(run.spec.model.revision)) for run in results.runs)
    return [fact for name, revision in models for fact in (("model", name), ("revision", revision))]


def protocol_facts(results: Results) -> list[Fact]:
    """Return what is equal for every method, as the runs had it; empty where nothing ran."""
    if not results.runs:
        return []
    seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in results.runs}))
    protocol = _leaves(shown_keys(results.task, "protocol", results.runs[0].spec.protocol.model_dump(mode="json")))
    return [("seeds", seeds), *((key.replace("_", " ").replace(".", ", "), _said(value)) for key, value in protocol)]


def environment_facts(results: Results) -> list[Fact]:
    """Return the environment of the first run that has one; empty where none has."""
    found = next((run.environment for run in results.runs if run.environment), None)
    if found is None:
        return []
    place: dict[str, Any] = found.model_dump(mode="json")
    versions = place.pop("versions")
    facts = [(_CALLED.get(key, key), _said(value)) for key, value in place.items() if value is not None]
    return [*facts, *((name, str(version)) for name, version in versions.items())]


def place(results: Results) -> str | None:
    """Return the machine of the first run that names it, in words."""
    found = next((run.environment for run in results.runs if run.environment), None)
    if found is None:
        return None
    threads = "1 thread" if found.cpu_threads == 1 else f"{found.cpu_threads} threads"
    return f"{found.gpu or found.cpu}, {threads}, {found.memory_gb} GB of memory, {found.platform}"


def comparison_yaml(results: Results) -> str:
    """Return the comparison as the YAML that `showdown run` takes: defaults filled in, without keys of other tasks."""
    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    writer.dump(
        {
            key: shown_keys(results.task, key, value) if key in _SECTIONS and value else value
            for key, value in results.comparison.items()
        },
        text,
    )
    return text.getvalue()


def _leaves(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, below in value.items():
        if isinstance(below, dict):
            yield from _leaves(below, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", below


def _said(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)

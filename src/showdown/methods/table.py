"""The table of methods: a name and where its class is, as a string, so that a look at it imports no torch."""

from contextlib import suppress
from typing import Any

from showdown.core.errors import UserError
from showdown.core.method import Method, TunedMethod
from showdown.core.registry import Registry, class_of
from showdown.core.spec import RunSpec, SharedProtocol, TuningSpec
from showdown.core.traits import Traits

_TASKS_WIDTH = len("classification, generation")
_class_of_a_method = class_of(Method)  # type: ignore[type-abstract]


def read_method(name: str, found: object) -> type[Method] | str:
    """Return a method's class, or why it cannot be one, in words."""
    read = _class_of_a_method(name, found)
    if isinstance(read, str) or isinstance(getattr(read, "traits", None), Traits):
        return read
    return "declares no `traits` (`showdown.core.traits`)"


METHODS: Registry[type[Method]] = Registry(
    "method",
    "showdown.methods",
    {
        "majority": "showdown.methods.majority:Majority",
        "tfidf": "showdown.methods.tfidf:TfIdf",
        "naive-bayes": "showdown.methods.naive_bayes:NaiveBayes",
        "frozen": "showdown.methods.frozen:Frozen",
        "knn": "showdown.methods.knn:NearestNeighbours",
        "static": "showdown.methods.static:Static",
        "boosting": "showdown.methods.boosting:Boosting",
        "setfit": "showdown.methods.setfit:SetFit",
        "most-common": "showdown.methods.most_common:MostCommon",
        "copy-prompt": "showdown.methods.copy_prompt:CopyPrompt",
        "zero-shot": "showdown.methods.zero_shot:ZeroShot",
        "few-shot": "showdown.methods.few_shot:FewShot",
        "prompt-search": "showdown.methods.prompt_search:PromptSearch",
        "full": "showdown.methods.full:Full",
        "full-8bit": "showdown.methods.full_8bit:Full8bit",
        "galore": "showdown.methods.galore:Galore",
        "apollo": "showdown.methods.apollo:Apollo",
        "full-fp8": "showdown.methods.full_fp8:FullFp8",
        "lora": "showdown.methods.lora:Lora",
        "qlora": "showdown.methods.qlora:Qlora",
        "lora-fp8": "showdown.methods.lora_fp8:LoraFp8",
        "dora": "showdown.methods.dora:Dora",
        "rslora": "showdown.methods.rslora:RsLora",
        "lora-plus": "showdown.methods.lora_plus:LoraPlus",
        "pissa": "showdown.methods.pissa:Pissa",
        "oft": "showdown.methods.oft:Oft",
        "vera": "showdown.methods.vera:Vera",
        "layernorm": "showdown.methods.layernorm:LayerNorm",
        "bitfit": "showdown.methods.bitfit:BitFit",
        "ia3": "showdown.methods.ia3:Ia3",
        "prompt": "showdown.methods.prompt:Prompt",
        "prefix": "showdown.methods.prefix:Prefix",
    },
    read_method,
)
"""Installed packages add methods by entry points of the group `showdown.methods`."""


def method_class(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        UserError: for a name that is not in the table, or for a plugin that cannot be used.

    """
    return METHODS.load(name)


def usable_methods() -> dict[str, type[Method]]:
    """Return the class of every method by name, without plugins that cannot be used."""
    found = {}
    for name in METHODS:
        with suppress(UserError):
            found[name] = method_class(name)
    return found


def method_lines() -> list[str]:
    """Return a line for each method: its tasks, what it does and the package that adds it, or why it cannot be used."""
    width, lines = max(map(len, METHODS)), []
    for name in METHODS:
        try:
            package, method = METHODS.package(name), method_class(name)
            tasks = ", ".join(sorted(method.tasks))
            line = f"{tasks:<{_TASKS_WIDTH}}  {method.summary}" + (f" (package {package})" if package else "")
        except UserError as error:
            line = f"not usable: {error}"
        lines.append(f"{name:<{width}}  {line}")
    return lines


def is_tuned(spec: RunSpec) -> bool:
    """Return whether the protocol searches a learning rate for the method of this run."""
    return isinstance(spec.protocol.tuning, TuningSpec) and issubclass(method_class(spec.method), TunedMethod)


def build(name: str, settings: dict[str, Any]) -> Method:
    """Return a method with its settings, defaults filled in.

    Raises:
        UserError: for an unknown method.
        ValidationError: for settings that it does not take.

    """
    cls = method_class(name)
    return cls(cls.Settings.model_validate(settings))


def method_and_settings(row: str, written: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Split what a comparison has under the name of an arm into the method's name and its settings."""
    rest = dict(written)
    rest.pop("protocol", None)
    return str(rest.pop("method", row)), rest


def protocol_of(shared: SharedProtocol, written: dict[str, Any]) -> SharedProtocol:
    """Return the protocol of one arm: the shared one, with what stands under the arm's own `protocol` in its place.

    Keys that concern only the verdict of a comparison are left out.

    Raises:
        ValidationError: for keys or values that a protocol does not have.

    """
    of_runs = shared.model_dump(include=set(SharedProtocol.model_fields))
    return SharedProtocol.model_validate({**of_runs, **(written.get("protocol") or {})})

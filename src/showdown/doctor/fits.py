"""Which sizes of networks this machine can train, by the forecast: a row a size, a column a method."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from showdown.config.target import DEFAULT_METHODS
from showdown.core.errors import UserError
from showdown.core.forecast import DeviceProfile
from showdown.core.method import TunedMethod
from showdown.core.metric import CLASSIFICATION
from showdown.core.prices import three_digits
from showdown.core.spec import Comparison
from showdown.forecast.arms import peaks
from showdown.forecast.peak import Peak
from showdown.forecast.profiles import profile_of
from showdown.forecast.workload import Workload
from showdown.measure.system import gpu_meter
from showdown.methods.table import method_class
from showdown.runner.device import devices_here
from showdown.runner.foresee import quiet

if TYPE_CHECKING:
    from transformers import PretrainedConfig

METHODS = [name for name in DEFAULT_METHODS[CLASSIFICATION] if issubclass(method_class(name), TunedMethod)]
TOKENS = 256
_ROWS = 64
_ANY_GPU = "h100"
"""Memory depends on the size of a GPU, not on its rates: it stands for one that was never measured."""
ASSUMED = f"peak GB while training with `memory: lean` on texts of {TOKENS} tokens, 16 rows a step"


def sizes() -> "Iterator[tuple[str, PretrainedConfig]]":
    """Yield networks in the shapes of known models: what each is called, and its configuration."""
    from transformers import BertConfig, LlamaConfig, MistralConfig

    yield (
        "23 M, as all-MiniLM-L6",
        BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
    )
    yield "110 M, as BERT-base", BertConfig()
    yield (
        "1.1 B, as TinyLlama",
        LlamaConfig(
            hidden_size=2048,
            intermediate_size=5632,
            num_hidden_layers=22,
            num_attention_heads=32,
            num_key_value_heads=4,
            pad_token_id=0,
        ),
    )
    yield "7.2 B, as Mistral-7B", MistralConfig(pad_token_id=0)


def fitting_lines() -> Iterator[str]:
    """Yield a heading and a line for each size: the peak of each method, and whether it fits this machine's device."""
    profile = _profile()
    if profile is None:
        yield "What fits is not known: the GPU does not answer"
        return
    yield f"What fits {profile.name}, {profile.memory_gb:.1f} GB ({ASSUMED})"
    yield f"  {'':<24}" + "".join(f"{name:>16}" for name in METHODS)
    for name, config in sizes():
        with quiet():
            found = peaks(_workload(config), profile)
        cells = [_cell(found[method], profile) for method in METHODS]
        yield f"  {name:<24}" + "".join(f"{cell:>16}" for cell in cells)


def _profile() -> DeviceProfile | None:
    try:
        return devices_here(None, None).profile
    except UserError:
        meter = gpu_meter()
        name, total = (meter.name(), meter.total_gb()) if meter else (None, None)
        if name is None or total is None:
            return None
        return profile_of(_ANY_GPU).model_copy(update={"name": name, "memory_gb": total})


def _workload(config: "PretrainedConfig") -> Workload:
    comparison = Comparison.model_validate(
        {
            "methods": {name: {} for name in METHODS},
            "protocol": {"memory": "lean", "tuning": None, "split": {"kind": "single"}, "max_tokens": TOKENS},
            "seeds": [0],
        }
    )
    rows = [(TOKENS, 1)] * _ROWS
    return Workload(comparison=comparison, config=config, labels=("a", "b"), train=rows, validation=rows, test=rows)


def _cell(peak: Peak, profile: DeviceProfile) -> str:
    gigabytes = three_digits(float(f"{peak.allocated_gb.expected:.2g}"))
    fits = "fits" if peak.fits else "perhaps" if peak.allocated_gb.low <= profile.memory_gb else "no"
    return f"{gigabytes} {fits}"

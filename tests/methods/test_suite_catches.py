"""The conformance suite finds each fault of the methods in `broken_methods.py` and `broken_writers.py`.

They are installed as an outside package.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import broken_methods
import broken_writers
import pytest

from showdown.core.method import TunedMethod
from showdown.testing import Case, NonConformance, Workshop, cases

FAULTS = [
    ("Unused", "every_tensor_changes", r"`base_model.model.unused` is set to learn and did not change"),
    ("LosesOne", "every_tensor_changes", "1 parameters learn and are in no group"),
    ("Drifts", "every_tensor_changes", "LayerNorm.bias` does not learn and changed in a step"),
    ("RsLora", "settings_reach_the_network", "the setting `use_rslora` changes nothing: with True"),
    ("AlsoLora", "differs_from_its_base", "makes of the network what LoRA, which it builds on, makes of it"),
    ("Miscounts", "declares_its_parameters", r"it declares \d+ parameters, and \d+ learn"),
    ("MixesRows", "accumulation_changes_nothing", "rows depend on others of their micro-batch"),
    ("LeavesHook", "strip_leaves_nothing", "leaves hooks `_forward_hooks` of `bert.embeddings` changed: 1"),
    (
        "LeavesAttribute",
        "strip_leaves_nothing",
        "leaves the attribute `tuned_by` of `bert.encoder.layer.0` changed: 'me', and not 'nothing'",
    ),
    ("LeavesModule", "strip_leaves_nothing", "leaves other modules, for one at `extra`"),
    ("LeavesChange", "strip_leaves_nothing", r"leaves `\S+bias` changed"),
    ("LeavesGradients", "strip_leaves_nothing", r"leaves a gradient on `\S+bias`"),
    ("SaysItLeaves", "strip_leaves_nothing", "`leaves_network` is True, and `strip` returns None"),
    ("Slow", "learns", r"the loss fell from .* is its rate_factor right\?"),
    ("OwnRate", "takes_the_learning_rate", "with a learning rate of 0.0123 in its settings it takes 0.005"),
    ("ForgetsHead", "answers_the_same_in_a_fresh_process", "answers otherwise than before"),
    ("CannotReload", "answers_the_same_in_a_fresh_process", "ValueError: no reading here"),
    ("Doubles", "fitted_scores_are_sound", "probabilities, and they do not sum to one"),
    ("OneColumn", "fitted_scores_are_sound", r"scores have the shape \(16, 1\)"),
    ("NoNumbers", "fitted_scores_are_sound", "not all finite"),
    ("ByBatch", "fitted_scores_are_sound", "depend on the other texts of a batch"),
    ("Rounds", "fitted_answers_the_same_after_reload", "answers otherwise than before"),
    ("LosesOneAnswer", "writes_soundly", "to 16 prompts it gives 15 answers"),
    ("WritesByBatch", "writes_soundly", "answers depend on the other prompts of a batch"),
    ("Sorts", "writes_soundly", "answers are not in the order of their prompts"),
    ("WritesOn", "writes_soundly", "an answer has 99 tokens, and the limit is 12"),
    ("Timeless", "writes_soundly", "it wrote tokens, and says not when the first one came"),
    ("CutsShort", "writes_soundly", "an answer of 1 tokens is said to be cut at 12"),
    ("Labels", "writes_soundly", "it answers with a MajorityClassifier, which is no writer"),
    ("OneLoss", "losses_are_of_the_wanted_answers", r"losses have the shape \(16,\)"),
    ("InfiniteLoss", "losses_are_of_the_wanted_answers", "losses are not all finite"),
    ("CountsPrompts", "losses_are_of_the_wanted_answers", r"over 2\d tokens, and the wanted answer has \d$"),
    ("LossByBatch", "losses_are_of_the_wanted_answers", "losses depend on the other prompts of a batch"),
    ("Shortens", "fitted_answers_the_same_after_reload", "answers otherwise than before"),
    ("Careless", "fitted_needs_training_rows", "it can be fitted on no training rows"),
    ("OldFit", "writes_soundly", "`fit` takes no `validation`"),
    ("TurnsAdapters", "answers_the_same_in_a_fresh_process", "answers otherwise than before"),
    ("SlowWriter", "learns", r"the loss fell from .* is its rate_factor right\?"),
]


METHODS = [*broken_methods.METHODS, *broken_writers.METHODS]


def cases_of(method: str) -> list[Case]:
    """Those on BERT, or of a method that only writes on Mistral."""
    return cases(method, models=["bert"]) or cases(method, models=["mistral"])


def name_of(kind: str) -> str:
    """The entry point of a class: `LeavesHook` is `leaves-hook`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package `broken`, with an entry point for each method."""
    folder = tmp_path_factory.mktemp("site")
    for module in (broken_methods, broken_writers):
        shutil.copy(str(module.__file__), folder / f"of_{module.__name__}.py")
    info = folder / "broken-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    points = "\n".join(f"{name_of(one.__name__)} = of_{one.__module__}:{one.__name__}" for one in METHODS)
    (info / "entry_points.txt").write_text(f"[showdown.methods]\n{points}\n")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.mark.parametrize(("method", "check", "fault"), FAULTS, ids=[f"{name_of(one[0])}-{one[1]}" for one in FAULTS])
def test_a_fault_is_found(workshop: Workshop, method: str, check: str, fault: str) -> None:
    (case,) = (case for case in cases_of(name_of(method)) if case.name == check)
    with pytest.raises(NonConformance, match=fault):
        case.run(workshop)


@pytest.mark.parametrize("method", ["sound", "sound-writer", "wraps"])
def test_a_sound_method_of_another_package_passes(workshop: Workshop, method: str) -> None:
    for case in cases_of(method):
        case.run(workshop)


def test_every_check_has_a_fault_that_it_finds() -> None:
    checks = {case.name for method in ("lora", "tfidf", "most-common") for case in cases(method)}
    untested = checks - {check for _, check, _ in FAULTS}
    assert untested == {"probabilities_sum_to_one"}  # the softmax is the engine's: no method can break it
    assert {one.__name__ for one in METHODS} - {method for method, _, _ in FAULTS} == {
        *("Sound", "FittedBase", "Wraps", "SoundWriter"),
    }
    assert issubclass(broken_methods.Sound, TunedMethod)


def test_the_suite_needs_no_pytest(installed: Path) -> None:
    program = "import sys; import showdown.testing; print('pytest' in sys.modules, 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["False", "False"]

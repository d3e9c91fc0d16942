"""Methods, metrics and trackers that installed packages add by entry points."""

import subprocess
import sys
from pathlib import Path

import pytest

from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.doctor.check import lines_of
from showdown.doctor.examine import examine
from showdown.methods.table import METHODS, build, method_lines, usable_methods
from showdown.tasks.classification.metrics import score
from showdown.trackers.table import TRACKERS
from showdown.trackers.table import build as build_tracker

CODE = '''
from showdown.core.method import TunedMethod
from showdown.methods.lora import Lora
from showdown.trackers.tracker import Tracker

class Narrow(Lora):
    """A method of an outside package."""
    title = "Narrow LoRA"
    summary = "adapters of rank two"

class Half(TunedMethod):
    """One that is not finished."""

class Diary(Tracker):
    """A tracker of an outside package."""
    def write(self, entry): ...
    def upload(self): return "nothing to send"

number = 3
'''


def install(
    folder: Path, package: str, *, methods: str = "", trackers: str = "", metrics: str = "", code: str = CODE
) -> None:
    """What an installer leaves: a module and a folder of facts about it."""
    (folder / f"{package}.py").write_text(code)
    info = folder / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    groups = {"methods": methods, "trackers": trackers, "metrics": metrics}
    (info / "entry_points.txt").write_text("".join(f"[showdown.{key}]\n{value}\n" for key, value in groups.items()))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def one_line(error: "pytest.ExceptionInfo[UserError]") -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_package_adds_a_method(site: Path) -> None:
    install(site, "narrow_lora", methods="narrow = narrow_lora:Narrow")
    assert "narrow" in METHODS
    assert METHODS.package("narrow") == "narrow_lora 1.2"
    assert METHODS.package("lora") is None
    method = build("narrow", {"rank": 2})
    assert (method.title, method.settings.rank) == ("Narrow LoRA", 2)
    assert check({"methods": {"mine": {"method": "narrow", "rank": 4}}}, "file.yaml").methods["mine"]["rank"] == 4
    (line,) = (line for line in method_lines() if line.startswith("narrow "))
    assert line.endswith("  adapters of rank two (package narrow_lora 1.2)")


def test_the_command_lists_it_with_its_package(site: Path) -> None:
    install(site, "narrow_cli", methods="narrow = narrow_cli:Narrow")
    program = "from showdown.cli import main; main()"
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r}); {program}", "methods"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "adapters of rank two (package narrow_cli 1.2)" in told.stdout
    assert told.stderr == ""


BROKEN = {
    "gone = narrow_broken:Gone": r"method `gone` of the package `narrow_broken 1.2` cannot be loaded \(AttributeError",
    "lost = no_such_module:Gone": r"cannot be loaded \(ModuleNotFoundError: No module named 'no_such_module'\)",
    "half = narrow_broken:Half": r"cannot be used: `narrow_broken:Half` lacks adapt, declared_parameters, reload",
    "number = narrow_broken:number": r"`narrow_broken:number` is no showdown.core.method.Method",
}


@pytest.mark.parametrize("point", BROKEN)
def test_a_plugin_that_cannot_be_used_is_told_of_when_it_is_asked_for(site: Path, point: str) -> None:
    install(site, "narrow_broken", methods=point)
    name = point.partition(" ")[0]
    check({"methods": {"lora": {}}}, "file.yaml")
    with pytest.raises(UserError, match="did you mean `rank`"):
        check({"methods": {"lora": {"rnak": 3}}}, "file.yaml")
    assert name not in usable_methods()
    assert "lora" in usable_methods()
    with pytest.raises(UserError, match=BROKEN[point]) as caught:
        check({"methods": {name: {}}}, "file.yaml")
    assert one_line(caught).endswith("update the package or uninstall it")
    (line,) = (line for line in method_lines() if line.split()[0] == name)
    assert "not usable" in line
    assert any(line.split()[1:2] == [name] and "not usable" in line for line in lines_of(examine()))


def test_a_module_that_fails_is_told_of_in_one_line(site: Path) -> None:
    install(site, "narrow_fails", methods="fails = narrow_fails:Fails", code="raise RuntimeError('first\\nsecond')")
    with pytest.raises(UserError, match=r"\(RuntimeError: first\)") as caught:
        build("fails", {})
    one_line(caught)


def test_a_name_that_is_taken_is_refused(site: Path) -> None:
    """Which of the two would run could not be seen from a comparison."""
    install(site, "narrow_clash", methods="lora = narrow_clash:Narrow\nnarrow = narrow_clash:Narrow")
    with pytest.raises(UserError, match=r"method `lora`: the package `narrow_clash 1.2` adds one of the same name"):
        build("lora", {})
    build("full", {})
    install(site, "narrow_rival", methods="narrow = narrow_rival:Narrow")
    sys.path.append(str(site / "elsewhere"))  # what is installed is read anew where the path has changed
    try:
        with pytest.raises(UserError, match=r"`narrow_clash 1.2` and `narrow_rival 1.2` both add it"):
            build("narrow", {})
    finally:
        sys.path.pop()


def test_a_package_that_is_on_the_path_twice_is_one(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "narrow_twice", methods="narrow = narrow_twice:Narrow")
    monkeypatch.syspath_prepend(str(site) + "/.")
    assert build("narrow", {}).title == "Narrow LoRA"


def test_an_unknown_name_gets_a_suggestion(site: Path) -> None:
    install(site, "narrow_named", methods="narrow = narrow_named:Narrow")
    with pytest.raises(UserError, match=r"method `narow` unknown; did you mean `narrow`\?"):
        build("narow", {})


def test_a_package_adds_a_tracker(site: Path, tmp_path: Path) -> None:
    install(site, "narrow_diary", trackers="diary = narrow_diary:Diary\nhalf = narrow_diary:Half")
    assert check({"methods": {"lora": {}}, "trackers": ["diary"]}, "file.yaml").trackers
    assert build_tracker("diary", tmp_path / "diary", "project").upload() == "nothing to send"
    assert TRACKERS.package("diary") == "narrow_diary 1.2"
    with pytest.raises(UserError, match=r"tracker `half` of the package .* is no showdown.trackers.tracker.Tracker"):
        build_tracker("half", tmp_path / "half", "project")


METRIC = """
from showdown.core.metric import Metric

def _least(true, predicted, right):
    return (right / true.clip(1)).min(axis=-1)

least = Metric(key="least_recall", title="least recall", of_counts=_least)
"""


def test_a_package_adds_a_metric(site: Path) -> None:
    """Methods can be ranked by it, and every record holds it."""
    install(site, "narrow_metric", metrics="least_recall = narrow_metric:least", code=METRIC)
    written = {"methods": {"lora": {}}, "protocol": {"metric": "least_recall"}}
    assert check(written, "file.yaml").protocol.metric == "least_recall"
    assert score([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b"]).scores["least_recall"] == 0.5


METRICS_BROKEN = {
    "other = narrow_bad_metric:least": r"`narrow_bad_metric:least` has the key `least_recall`, and not the name of its",
    "text = narrow_bad_metric:__name__": r"is no showdown.core.metric.Metric",
    "accuracy = narrow_bad_metric:least": "`accuracy`: the package `narrow_bad_metric 1.2` adds one of the same name",
}


@pytest.mark.parametrize("point", METRICS_BROKEN)
def test_a_metric_that_cannot_be_used_is_told_of_when_it_is_asked_for(site: Path, point: str) -> None:
    install(site, "narrow_bad_metric", metrics=point, code=METRIC)
    name = point.partition(" ")[0]
    scores = score([0, 1], [0, 1], ["a", "b"])
    assert scores.accuracy == 1.0
    assert name not in scores.scores
    check({"methods": {"lora": {}}, "protocol": {"metric": "mcc"}}, "file.yaml")
    with pytest.raises(UserError, match=METRICS_BROKEN[point]) as caught:
        check({"methods": {"lora": {}}, "protocol": {"metric": name}}, "file.yaml")
    one_line(caught)

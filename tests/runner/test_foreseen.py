"""What cannot fit is refused before anything is trained, and nothing else."""

import pytest

from forecasts import arm, device, forecast
from showdown.core.errors import UserError
from showdown.core.forecast_words import short_lines
from showdown.runner import foreseen
from showdown.runner.foreseen import refuse_misfits


def refusal(*arms: object, memory_gb: float = 80.0, kind: str = "gpu") -> str:
    with pytest.raises(UserError) as found:
        refuse_misfits(forecast(*arms, on=device(kind=kind, memory_gb=memory_gb)))  # type: ignore[arg-type]
    return str(found.value)


def test_an_arm_that_cannot_fit_is_refused_with_what_would() -> None:
    full = arm("full", peak_gb=110.0, fits=False, fixes=["`memory: lean`: 62 GB", "`method: qlora`: 20 GB"])
    line = refusal(full, arm("lora", peak_gb=20.0))
    assert line.startswith(
        "`methods.full` cannot fit: it needs 100 GB at the least, and NVIDIA H100 80GB HBM3 has 80; "
    )
    assert "`memory: lean`: 62 GB fits (`method: qlora`: 20 GB)" in line


def test_without_a_fix_the_other_arms_are_named() -> None:
    assert "--methods lora,tfidf" in refusal(arm("full", peak_gb=110.0, fits=False), arm("lora"), arm("tfidf"))
    assert refusal(arm("full", peak_gb=110.0, fits=False)).endswith("choose a smaller model")


def refused(peak_gb: float, runs: int) -> bool:
    try:
        refuse_misfits(forecast(arm("full", runs=runs, peak_gb=peak_gb, fits=False)))
    except UserError:
        return True
    return False


def test_a_low_end_that_fits_runs() -> None:
    assert not refused(87.0, 1)
    assert refused(90.0, 1)


def test_an_arm_that_is_over_is_not_refused() -> None:
    assert not refused(200.0, 0)
    assert refused(200.0, 1)


def test_an_arm_without_runs_has_no_seconds() -> None:
    lines = short_lines(forecast(arm("tfidf", runs=0), arm("lora", runs=2)))
    assert [line.split() for line in lines[1:]] == [
        ["tfidf", "nothing", "to", "run"],
        ["lora", "2", "x", "60", "s", "(30", "to", "120)"],
    ]


def test_a_processor_may_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    class Swap:
        total = 30e9

    monkeypatch.setattr(foreseen.psutil, "swap_memory", Swap)
    whole = forecast(arm("full", peak_gb=110.0, fits=False), on=device(kind="cpu", memory_gb=80.0))
    refuse_misfits(whole)
    assert "has 90" in refusal(arm("full", peak_gb=110.0, fits=False), kind="cpu", memory_gb=60.0)

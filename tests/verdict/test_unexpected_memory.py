import pytest

from showdown.core.record import MemorySplit, PeakMemory
from showdown.verdict.summary import judge


def trained(built, name, peak_gb, trainable, *, activations_gb, **record):
    built.run(
        name,
        [0, 1, 2],
        [0, 1, 2],
        method=name,
        peak_memory_allocated_gb=PeakMemory(training=peak_gb, run=peak_gb),
        memory_split=MemorySplit(
            weights_gb=14.2, gradients_gb=0.0, optimiser_gb=0.0, libraries_gb=0.0, activations_gb=activations_gb
        ),
        trainable_parameters=trainable,
        total_parameters=7_110_000_000,
        **record,
    )


def test_less_that_learns_and_more_memory_is_explained(built):
    trained(built, "full", 58.1, 7_110_000_000, activations_gb=3.0, chosen={"micro_batch_rows": 4, "recompute": True})
    trained(built, "lora", 75.3, 3_500_000, activations_gb=61.0, chosen={"micro_batch_rows": 16, "recompute": False})
    trained(built, "qlora", 12.2, 3_500_000, activations_gb=6.0, chosen={"micro_batch_rows": 16, "recompute": True})
    (said,) = [line for line in judge(built.results, built.folder).sentences if "took more memory" in line]
    assert said.startswith("lora took more memory than full (75.3 against 58.1 GB) while it trains 0.049 % of")
    assert "of the parameters against 100 %" in said
    assert "they differ in micro_batch_rows 16 against 4, recompute False against True. That is not the method" in said
    assert "activations, 61 GB of its peak against 3," in said


@pytest.mark.parametrize("peak_gb", [20.0, 58.5])
def test_what_is_expected_is_not_said(built, peak_gb):
    trained(built, "full", 58.1, 7_110_000_000, activations_gb=3.0, chosen={"micro_batch_rows": 4})
    trained(built, "lora", peak_gb, 3_500_000, activations_gb=6.0, chosen={"micro_batch_rows": 16})
    assert not any("took more memory" in line for line in judge(built.results, built.folder).sentences)


def test_without_a_difference_that_is_said_too(built):
    trained(built, "full", 58.1, 7_110_000_000, activations_gb=3.0)
    trained(built, "lora", 75.3, 3_500_000, activations_gb=61.0)
    (said,) = [line for line in judge(built.results, built.folder).sentences if "took more memory" in line]
    assert said.endswith("Nothing recorded differs that would explain it.")

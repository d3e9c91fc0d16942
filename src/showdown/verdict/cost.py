"""Cost: measured seconds times a price per hour. It is computed for a report and never stored: prices change."""

from collections.abc import Sequence

from pydantic import Field

from showdown.core.prices import example_price
from showdown.core.record import SCORING_PHASES, TUNING_PHASE, Phase, RunRecord
from showdown.core.strict import Strict


class Price(Strict):
    """Price of an hour on the device that a run used."""

    per_hour: float = Field(ge=0.0)
    source: str
    """Where the figure comes from, in words."""
    per_kwh: float = Field(default=0.0, ge=0.0)
    """What energy costs on top of the hours; 0 where it is in their price, as with what is rented."""
    example: bool = False
    """From the table, in US dollars, and not the user's own."""


class EnergyUse(Strict):
    """Energy (kWh) of one model of an arm, by the GPU's counter, which counts every process; without scoring."""

    training: float
    """Everything from the start of the process to the saved model, without tuning."""
    tuning: float


class Cost(Strict):
    """Cost of one model of an arm, in the currency of the price."""

    training: float
    """Everything from the start of the process to the saved model, without tuning."""
    tuning: float
    per_thousand_predictions: float | None
    """At the best batch size, by the hour alone; None where speed was not measured."""
    price: Price

    @property
    def model(self) -> float:
        """Training and tuning together: what `max_cost` limits."""
        return self.training + self.tuning


def own_price(per_hour: float, per_kwh: float = 0.0) -> Price:
    """Return the user's own price."""
    energy = f", {per_kwh:g} a kWh" if per_kwh else ""
    return Price(per_hour=per_hour, source=f"your own price{energy}", per_kwh=per_kwh)


def price_of(run: RunRecord) -> Price | None:
    """Look up an example price for the device of a run; None where none is known."""
    place = run.environment
    found = None if place is None else example_price(place.gpu, place.cpu_threads)
    return None if found is None else Price(per_hour=found[0], source=found[1], example=True)


def phase_seconds(phases: Sequence[Phase]) -> tuple[float, float]:
    """Return the seconds of training and of tuning; scoring the test rows counts to neither."""
    tuning = sum(phase.seconds for phase in phases if phase.name.startswith(TUNING_PHASE))
    training = sum(
        phase.seconds
        for phase in phases
        if not phase.name.startswith(TUNING_PHASE) and phase.name not in SCORING_PHASES
    )
    return training, tuning


def _device_seconds(run: RunRecord) -> tuple[float, float]:
    """Return the seconds of training and of tuning, of all devices that a run took together."""
    devices = run.spec.memory.devices if run.spec.memory else 1
    training, tuning = phase_seconds(run.phases)
    return devices * training, devices * tuning


def energy_of_runs(runs: Sequence[RunRecord]) -> EnergyUse | None:
    """Return the mean energy of one model of an arm; None where it was not read for every run."""
    known = [run.energy_kwh for run in runs if run.energy_kwh]
    if not known or len(known) < len(runs):
        return None
    tuning = [energy.tuning or 0.0 for energy in known]
    training = [energy.run - energy.scoring - tuned for energy, tuned in zip(known, tuning, strict=True)]
    return EnergyUse(training=max(0.0, sum(training) / len(known)), tuning=sum(tuning) / len(known))


def cost_of(runs: Sequence[RunRecord], price: Price | None) -> Cost | None:
    """Return the mean cost of one model of an arm.

    Args:
        runs: the completed runs of the row.
        price: the user's own; without it an example price is looked up for the device.

    Returns:
        None where there is no run, no phase was measured or no price is known.

    """
    runs = [run for run in runs if run.phases]
    found = price or (price_of(runs[0]) if runs else None)
    if found is None or not runs:
        return None
    seconds = [_device_seconds(run) for run in runs]
    per_second = found.per_hour / 3600
    energy = energy_of_runs(runs)
    speeds = [run.rows_per_second for run in runs if run.rows_per_second]
    return Cost(
        training=per_second * sum(training for training, _ in seconds) / len(runs)
        + (found.per_kwh * energy.training if energy else 0.0),
        tuning=per_second * sum(tuning for _, tuning in seconds) / len(runs)
        + (found.per_kwh * energy.tuning if energy else 0.0),
        per_thousand_predictions=per_second * 1000 * len(speeds) / sum(speeds) if speeds else None,
        price=found,
    )

"""The forecast of a whole comparison. It imports torch: the comparison's own process leaves it to its fork."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager

from showdown.core.forecast import ArmForecast, Forecast, Range
from showdown.core.forecast_words import added, scaled
from showdown.core.quiet import quiet_loggers
from showdown.core.spec import ModelSpec, RunSpec
from showdown.data.prepare import Prepared
from showdown.forecast.arms import forecast_arms
from showdown.forecast.fixes import with_cheapest_gpu, with_fixes
from showdown.forecast.measure import with_own_launches
from showdown.forecast.sizes import workload_of
from showdown.models.described import DescribedModel
from showdown.runner.device import Devices
from showdown.runner.executors.table import LOCAL
from showdown.runner.memory import trains
from showdown.runner.plan import plan
from showdown.runner.prepared import Ready
from showdown.runner.spread import spread
from showdown.stages.devices import DevicesOfRuns, devices_of_runs

PREPARATION_SECONDS = Range(low=3.0, expected=10.0, high=30.0)
"""From the command to the start of the first run, with the libraries imported once (`docs/plan.md`)."""


def quiet() -> AbstractContextManager[None]:
    """Hide what libraries say to a network without weights: it is not trained."""
    return quiet_loggers("bitsandbytes", "transformers", "peft")


def _devices_of_runs(ready: Ready, specs: Sequence[RunSpec], devices: Devices) -> DevicesOfRuns:
    """Return how many devices train a run together, as the run itself will choose."""
    training = [spec for spec in specs if trains(spec)]
    return devices_of_runs(
        len(training),
        slots=devices.count if ready.comparison.executor == LOCAL else 1,
        gpus_per_run=ready.comparison.gpus_per_run,
        deterministic=any(spec.protocol.deterministic for spec in training),
    )


def _counted(arms: Sequence[ArmForecast], left: Sequence[RunSpec]) -> list[ArmForecast]:
    """Return arms with the runs that are left of each; one that cannot run has none."""
    count = Counter(spec.name for spec in left)
    return [arm.model_copy(update={"runs": min(arm.runs, count[arm.name])}) for arm in arms]


def foresee(
    ready: Ready,
    prepared: Prepared,
    model: ModelSpec,
    described: DescribedModel,
    devices: Devices,
    *,
    cheapest: bool = False,
    left: Sequence[RunSpec] | None = None,
) -> Forecast:
    """Return what a comparison will need, or what is left of it.

    Args:
        ready: the comparison, with seeds and tuning chosen.
        prepared: its rows.
        model: what its runs have as their model.
        described: the same by its configuration.
        devices: that it runs on, or would.
        cheapest: whether the cheapest GPU is looked for, which takes longer.
        left: the runs that are counted; all by default.

    Raises:
        UserError: for settings that a method does not take, or rows that cannot be laid out.

    """
    profile = with_own_launches(devices.profile) if devices.of_another_host else devices.profile
    workload, estimated = workload_of(ready.comparison, prepared, described)
    specs = plan(ready, model) if left is None else left
    arms = with_fixes(forecast_arms(workload, profile, _devices_of_runs(ready, specs, devices)), workload, profile)
    if cheapest:
        arms = with_cheapest_gpu(arms, workload)
    if left is not None:
        arms = _counted(arms, left)
    share = ready.comparison.share_base
    busy = spread(
        specs,
        arms,
        devices=devices.count,
        share=profile.kind == "gpu" if share is None else share,
    )
    seconds = added([PREPARATION_SECONDS, busy])
    hours = scaled(seconds, devices.count / 3600)
    watts = profile.rates.get("power_watts")
    return Forecast(
        device=profile,
        devices=devices.count,
        arms=arms,
        seconds=seconds,
        device_hours=hours,
        cost=None if devices.price_per_hour is None else scaled(hours, devices.price_per_hour),
        currency=devices.currency,
        price_per_hour=devices.price_per_hour,
        price_source=devices.price_source,
        energy_kwh=None if watts is None else scaled(hours, watts / 1000),
        notes=[*devices.notes, *estimated],
    )

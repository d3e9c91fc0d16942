"""Seconds of one run by phase, named as in `docs/results.md`."""

from collections.abc import Callable

from showdown.core.forecast import DeviceProfile, Range
from showdown.core.forecast_words import added
from showdown.core.method import FittedMethod, Method
from showdown.core.spec import SharedProtocol, TuningSpec
from showdown.forecast.answering import Answering
from showdown.forecast.epochs import Epochs, epochs_of, trial_epochs
from showdown.forecast.fitted import TIME_SPREAD
from showdown.forecast.needs import NetworkArm, cut, memory_settings_of, network_arm, with_virtual
from showdown.forecast.rates import Rates
from showdown.forecast.step import StepSeconds
from showdown.forecast.untrained import Untrained
from showdown.forecast.workload import Workload

_START_SECONDS = {"cpu": 0.2, "gpu": 2.0}
"""Of a worker's start, with CUDA's: the libraries are imported once for a comparison, before it is forked."""
_LOADING_SECONDS = 0.8
"""Of making a network's modules and opening its files, whatever its size."""
_FITTED_SECONDS = 2.0


def tuned_seconds(step: StepSeconds, workload: Workload) -> dict[str, Range]:
    """Return the seconds of one run of an arm that trains a network, by phase."""
    arm, rates = step.arm, step.rates
    protocol = arm.job.protocol
    validation = with_virtual(cut(workload.validation, protocol.max_tokens), arm.virtual_tokens)
    epoch, judged = step.epoch_seconds(arm.train), step.forward_seconds(validation)
    loading = _loading_seconds(arm, workload, rates)
    saved = arm.needs.demand.gradient_bytes
    epochs = epochs_of(protocol, protocol.epochs)
    found = {"loading": _single(loading), "training": epochs.scaled(epoch, step.path)}
    recording = step.recording_seconds(arm.train)
    if recording:
        found["training"] = added([found["training"], _single(recording)])
    found["training"] = added([found["training"], _decomposing(step, epochs)])
    found["validation"] = epochs.scaled(judged, step.path)
    found["checkpoint"] = epochs.scaled(rates.seconds("write_gbps", 4 * saved), step.path)
    found["saving"] = _single(rates.seconds("write_gbps", saved) + 0.1)
    found["start of scoring"] = _single(_START_SECONDS["gpu" if step.on_gpu else "cpu"])
    found["reloading"] = _single(loading)
    answering = Answering(step, workload)
    found["prediction"] = _spread(answering.prediction_seconds, step.path)
    found["speed"] = _single(answering.speed_seconds)
    if isinstance(protocol.tuning, TuningSpec):
        trials = trial_epochs(protocol)
        once = trials.scaled(epoch + judged, step.path)
        once = added([once, _decomposing(step, trials)])
        number = protocol.tuning.trials
        found["tuning"] = Range(
            low=number * (once.low + loading),
            expected=number * (once.expected + loading),
            high=number * (once.high + loading),
        )
    return found


def fitted_seconds(
    method: Method, protocol: SharedProtocol, workload: Workload, network_of: Callable[[SharedProtocol], StepSeconds]
) -> dict[str, Range]:
    """Return the seconds of one run of an arm that trains no network, by phase.

    Args:
        method: of the arm. So for the next.
        protocol: its own.
        workload: the comparison's.
        network_of: returns the seconds of the network as it is, as `untrained_network` does.

    """
    if not isinstance(method, FittedMethod) or method.traits.reads != "tokens":
        return {"training": _single(_FITTED_SECONDS), "prediction": _single(_FITTED_SECONDS)}
    step = network_of(protocol)
    reads = method.network_reads(train=len(workload.train), validation=len(workload.validation))
    answering = Answering(step, workload, reads)
    loading = _single(_loading_seconds(step.arm, workload, step.rates))
    return {
        "loading": loading,
        "training": _spread(_fits(method, protocol) * answering.fit_seconds, step.path),
        "start of scoring": _single(_START_SECONDS["gpu" if step.on_gpu else "cpu"]),
        "reloading": loading,
        "prediction": _spread(answering.prediction_seconds, step.path),
        "speed": _single(answering.speed_seconds),
    }


def _fits(method: FittedMethod, protocol: SharedProtocol) -> int:
    """Return how often a method is fitted: once more for each trial, where it trains and the protocol tunes."""
    if method.needs() == "training" and isinstance(protocol.tuning, TuningSpec):
        return 1 + protocol.tuning.trials
    return 1


def untrained_network(protocol: SharedProtocol, workload: Workload, profile: DeviceProfile) -> StepSeconds:
    """Return the seconds of passes of the pretrained network as it is."""
    arm = network_arm(Untrained(), protocol, workload, profile)
    return StepSeconds(arm, memory_settings_of({"": arm}, profile)[""], Rates(profile))


def _decomposing(step: StepSeconds, epochs: Epochs) -> Range:
    """Return the seconds of decompositions in a training."""
    low, expected, high = (step.decomposition_seconds(number) for number in (epochs.low, epochs.expected, epochs.high))
    return Range(low=0.5 * low, expected=expected, high=2.0 * high)


def _single(seconds: float) -> Range:
    return Range(low=0.5 * seconds, expected=seconds, high=2.0 * seconds)


def _spread(seconds: float, path: str) -> Range:
    low, high = TIME_SPREAD[path]
    return Range(low=low * seconds, expected=seconds, high=high * seconds)


def _loading_seconds(arm: NetworkArm, workload: Workload, rates: Rates) -> float:
    weights = sum(value.numel() for value in arm.module.parameters())
    read = rates.seconds("read_gbps", workload.stored_bytes_per_weight * weights)
    on_gpu = arm.job.placement.device == "cuda"
    moved = rates.seconds("host_to_device_gbps", arm.needs.demand.weight_bytes) if on_gpu else 0.0
    return _LOADING_SECONDS + read + moved

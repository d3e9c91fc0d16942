"""Checks of a method that trains a network. Each takes the method's name, a model's family, and the workshop."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from showdown.core.method import TunedMethod, TunedSettings
from showdown.methods.table import method_class
from showdown.testing.material import Answered, Material
from showdown.testing.network import STEP_ROWS, adapted, facts, loaded, path_of
from showdown.testing.require import NonConformance, require
from showdown.testing.workshop import Trained, Workshop, tuned

if TYPE_CHECKING:
    import torch

_OWN_RATE = 0.0123
_SAME_GRADIENT = 1e-5
"""Relative difference of a gradient's norm that summing in another order may make."""
_ROUNDED_GRADIENT = 1e-2
"""The same where numbers are rounded to fp8: another order of summing may move one over a boundary, by a sixteenth."""
_SUM = 1e-9
_FOUR_BIT_LOSS = 0.05
"""Relative difference of a loss that quantising the same weights again may make."""


def learns(name: str, family: str, workshop: Workshop) -> None:
    """Trained at its own learning rate, its loss falls: of a classifier to less than half."""
    losses = workshop.trained(name, family).losses
    first, last = sum(losses[:2]) / 2, sum(losses[-3:]) / 3
    require(
        last < workshop.material.learned * first,
        f"the loss fell from {first:.3f} to {last:.3f} alone; is its rate_factor right?",
    )


def every_tensor_changes(name: str, family: str, workshop: Workshop) -> None:
    """Two steps change every tensor that learns, and no other.

    Two, since a LoRA adapter's A gets no gradient while B is zero. Weight decay is off: every change is by a gradient.
    """
    import torch

    subject = adapted(tuned(name), workshop.model(family), workshop.material)
    before, learning = subject.values(), subject.learning()
    require(bool(learning), "no parameter learns: `adapt` sets `requires_grad` on what does")
    try:
        subject.step(2, rate=1e-2)
    except ValueError as error:  # groups that do not name every parameter once
        raise NonConformance(f"`parameter_groups` do not fit: {error}") from error
    for parameter, value in subject.module.named_parameters():
        changed = not torch.equal(value.detach(), before[parameter])
        if parameter in learning:
            require(changed, f"`{parameter}` is set to learn and did not change in two steps")
        else:
            require(not changed, f"`{parameter}` does not learn and changed in a step")


def accumulation_changes_nothing(name: str, family: str, workshop: Workshop) -> None:
    """Accumulated over one and over four micro-batches, the gradient is the same."""
    import torch

    norms = []
    subject = adapted(tuned(name), workshop.model(family), workshop.material)
    subject.module.train()
    for micro_rows in (STEP_ROWS, STEP_ROWS // 4):
        subject.module.zero_grad()
        torch.manual_seed(0)
        subject.accumulate(micro_rows)
        gradients = [value.grad.flatten() for value in subject.learning().values() if value.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
    whole, parts = norms
    require(whole > 0, "the gradient is zero")
    require(
        abs(parts / whole - 1) < (_ROUNDED_GRADIENT if _rounds(subject.module) else _SAME_GRADIENT),
        f"the gradient's norm is {whole:.6g} of a whole step, {parts:.6g} over four micro-batches: rows depend on "
        "others of their micro-batch",
    )


def _rounds(module: "torch.nn.Module") -> bool:
    """Return whether any layer multiplies in fp8."""
    from showdown.fp8.linear import Fp8Linear, LearningFp8Linear

    return any(isinstance(layer, (Fp8Linear, LearningFp8Linear)) for layer in module.modules())


def declares_its_parameters(name: str, family: str, workshop: Workshop) -> None:
    """`declared_parameters` is the number of parameters that learn."""
    method = tuned(name)
    declared = method.declared_parameters(loaded(method, workshop.model(family), workshop.material))
    counted = sum(
        value.numel() for value in adapted(method, workshop.model(family), workshop.material).learning().values()
    )
    require(declared == counted, f"it declares {declared} parameters, and {counted} learn")


def probabilities_sum_to_one(name: str, family: str, workshop: Workshop) -> None:
    """Scores have a row a text and a column a label, and each row sums to one."""
    import numpy as np

    scores = workshop.trained(name, family).answered.numbers
    wanted = (len(workshop.material.asked), len(workshop.material.labels))
    require(scores.shape == wanted, f"scores have the shape {scores.shape}")
    require(bool(np.abs(scores.sum(axis=1) - 1).max() < _SUM), "probabilities do not sum to one")


def takes_the_learning_rate(name: str, family: str, workshop: Workshop) -> None:
    """A run is trained at the method's own rate; a rate that the user sets goes before it."""
    from showdown.models.network import configuration
    from showdown.models.width import width_of

    model = workshop.model(family)
    width = width_of(configuration(model, workshop.material.job(model)))
    rate, trained = tuned(name).learning_rate(width), workshop.trained(name, family).stage.chosen["learning_rate"]
    require(0 < rate <= 1, f"its learning rate is {rate}")
    require(trained == rate, f"it was trained at a rate of {trained}, and its own is {rate}")
    if "learning_rate" in method_class(name).Settings.model_fields:
        own = tuned(name, {"learning_rate": _OWN_RATE}).learning_rate(width)
        require(own == _OWN_RATE, f"with a learning rate of {_OWN_RATE} in its settings it takes {own}")


def answers_the_same_in_a_fresh_process(name: str, family: str, workshop: Workshop) -> None:
    """A saved model answers in another process as it did before; in four bits, with the same labels."""
    run = workshop.trained(name, family)
    (after,) = workshop.fresh.answered([run.folder], workshop.material)
    require_same_answers(run, after)


def require_same_answers(run: Trained, after: Answered) -> None:
    """Fail where a saved model's answers are not those of before.

    Of one in four bits the labels must be the same, or what is written, and the loss of what was wanted nearly so.

    Args:
        run: with the answers of before.
        after: those of the saved model to the same texts.

    """
    import numpy as np

    before = run.answered
    if not tuned(run.spec.method).options.four_bit:
        same = np.array_equal(before.numbers, after.numbers)
    elif before.written:
        same = np.allclose(before.numbers, after.numbers, rtol=_FOUR_BIT_LOSS)
    else:
        same = np.array_equal(before.numbers.argmax(axis=1), after.numbers.argmax(axis=1))
    require(
        bool(same) and before.written == after.written,
        "a saved model answers otherwise than before: does `save` write all that learned?",
    )


def strip_leaves_nothing(name: str, family: str, workshop: Workshop) -> None:
    """After `strip` the network is as it was loaded: modules, attributes, hooks, weights, gradients and outputs.

    A method that does not say `leaves_network` returns None instead.
    """
    import torch

    subject = adapted(tuned(name), workshop.model(family), workshop.material)
    subject.step(1, rate=1e-2)
    subject.accumulate(STEP_ROWS)
    subject.disturb()
    stripped = subject.method.strip(subject.module)
    leaves = subject.method.leaves_network
    require((stripped is not None) == leaves, f"`leaves_network` is {leaves}, and `strip` returns {stripped!r:.60}")
    if stripped is None:
        return
    fresh = loaded(tuned(name), workshop.model(family), workshop.material).module
    fresh_path, path = path_of(fresh, workshop.model(family)), path_of(stripped, workshop.model(family))
    _require_equal_facts(facts(stripped), facts(fresh))
    for key, value in stripped.named_parameters():
        held = [getattr(value, hooks, None) for hooks in ("_backward_hooks", "_post_accumulate_grad_hooks")]
        require(not any(held), f"`strip` leaves a hook on the parameter `{key}`")
        require(value.grad is None, f"`strip` leaves a gradient on `{key}`")
    expected = fresh.state_dict()
    for key, kept in stripped.state_dict().items():
        require(torch.equal(kept, expected[key]), f"`strip` leaves `{key}` changed")
    again = [replace(subject, module=module, forward=way) for module, way in ((stripped, path), (fresh, fresh_path))]
    outputs = [one.outputs(training=False) for one in again]
    require(torch.equal(*outputs), "after `strip` the network answers otherwise than one that was loaded anew")


def _require_equal_facts(found: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Mapping[str, Any]]) -> None:
    unlike = sorted(found.keys() ^ expected.keys())
    require(not unlike, f"`strip` leaves other modules, for one at `{', '.join(unlike[:1])}`")
    for module, facts_now in found.items():
        for fact in facts_now.keys() | expected[module].keys():
            now, before = facts_now.get(fact, "nothing"), expected[module].get(fact, "nothing")
            require(
                now == before, f"`strip` leaves {fact} of `{module}` changed: {now!r:.100}, and not {before!r:.100}"
            )


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a method makes of a network, to be compared between two settings."""

    facts: str
    """How it is loaded, which parameters learn, their shapes and groups, and the optimizer."""
    outputs: "tuple[torch.Tensor, torch.Tensor]"
    """Logits with dropout and without, once noise was added to all that learns."""

    def same(self, other: "Fingerprint") -> bool:
        """Whether nothing differs."""
        import torch

        equal = all(torch.equal(own, others) for own, others in zip(self.outputs, other.outputs, strict=True))
        return self.facts == other.facts and equal


def fingerprint(method: TunedMethod, model: Path, material: Material) -> Fingerprint:
    """Return the fingerprint of a method with its settings."""
    subject = adapted(method, model, material)
    shapes = [(name, tuple(value.shape), str(value.dtype)) for name, value in subject.learning().items()]
    groups = {
        name: (group.rate_scale, group.decay_scale)
        for group in method.parameter_groups(subject.module)
        for name in group.names
    }
    subject.disturb()
    return Fingerprint(
        facts=repr((vars(method.options), shapes, sorted(groups.items()), method.optimizer)),
        outputs=(subject.outputs(training=True), subject.outputs(training=False)),
    )


def settings_reach_the_network(
    name: str, family: str, workshop: Workshop, *, others: Mapping[str, Any] | None = None
) -> None:
    """Each setting changes what is loaded, what learns, how it is grouped, or what the network computes.

    Args:
        name: of the method.
        family: of the model.
        workshop: where the model is.
        others: a value other than the default for settings whose type suggests none.

    """
    model, material, kind = workshop.model(family), workshop.material, method_class(name).Settings
    default = fingerprint(tuned(name), model, material)
    for key in kind.model_fields:
        if key in TunedSettings.model_fields or _has_one_value(kind.model_fields[key].annotation):
            continue  # the rate has a check of its own
        value = (others or {}).get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = _other_value(name, key, loaded(tuned(name), model, material).linear_names)
        require(
            not fingerprint(tuned(name, {key: value}), model, material).same(default),
            f"the setting `{key}` changes nothing: with {value!r} the network is as with its default",
        )


_UNKNOWN = object()


def _has_one_value(annotation: object) -> bool:
    """Return whether a setting can be nothing but its default."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def _other_value(name: str, key: str, linear_names: Sequence[str]) -> Any:
    """Return a value of a setting that is not its default."""
    kind = method_class(name).Settings
    field = kind.model_fields[key]
    for value in _candidates(field.annotation, field.default, linear_names):
        try:
            found = getattr(kind.model_validate({key: value}), key)
        except ValueError:
            continue
        if found != field.default:
            return value
    raise NonConformance(
        f"no other value of the setting `{key}` could be guessed; give one, as in others={{{key!r}: 1}}"
    )


def _candidates(annotation: object, default: object, linear_names: Sequence[str]) -> Iterator[Any]:
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, (int, float)):
        yield from (2 * default, default + 1, 0.5, default / 2)
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is Literal:
            yield from get_args(part)
        elif part is bool:
            yield from (True, False)
        elif part in (int, float):
            yield from (1, 2, 0.5)
        elif get_origin(part) in (list, tuple):  # of numbers of layers, or of their names
            yield [0] if int in get_args(part) else [linear_names[0].rpartition(".")[2]]


def differs_from_its_base(name: str, family: str, workshop: Workshop) -> None:
    """A method that builds on another makes something else of the network: its own flags reach it."""
    kind, model, material = method_class(name), workshop.model(family), workshop.material
    own = fingerprint(tuned(name), model, material)
    for base in kind.__mro__[1:]:
        if issubclass(base, TunedMethod) and "title" in vars(base):
            parent = base(base.Settings())
            require(
                not fingerprint(parent, model, material).same(own),
                f"it makes of the network what {base.title}, which it builds on, makes of it",
            )

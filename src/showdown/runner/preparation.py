"""What comes before the first run: the data are read, split and audited, and the model is checked."""

from collections.abc import Generator

from showdown.core.metric_choice import refuse_unknown_label
from showdown.core.spec import Comparison, ModelSpec
from showdown.core.strict import Strict
from showdown.data.prepare import all_intact, prepare, write_prepared
from showdown.measure.system import has_gpu
from showdown.runner.audit_cache import inspected
from showdown.runner.auto_settings import settled_effort
from showdown.runner.chats import chats_of, refuse_unscored_metric, scorer_digests
from showdown.runner.plan import plan, refuse_unusable_model
from showdown.runner.prepared import ready
from showdown.runner.store import Store


def preparation(comparison: Comparison, model: ModelSpec, store: Store) -> Generator[Strict]:
    """Prepare a comparison in two steps: a `Ready`, then, with the folder locked, the inspection of its rows.

    The first step writes nothing. The second writes the processed rows and what `inspected` keeps.

    Args:
        comparison: what to compare.
        model: its model, pinned, with the content of its chat template.
        store: its folder.

    Raises:
        UserError: for bad data, a model that cannot be used, a full disk.

    """
    chats = chats_of(comparison, model)
    prepared = prepare(comparison.data, comparison.protocol.split, comparison.task, chats.fit if chats else None)
    refuse_unknown_label(comparison.protocol.metric, prepared.labels)
    refuse_unscored_metric(comparison, prepared)
    comparison, choices = settled_effort(comparison, model, prepared, gpu=has_gpu())
    if chats is not None:
        comparison, said = chats.settled(comparison, prepared)
        choices = [*choices, *said]
    found = ready(comparison, prepared, choices, scorer_digests(comparison))
    refuse_unusable_model(plan(found, model), prepared.labels)
    yield found
    if not all_intact(prepared, store.processed_folder):
        write_prepared(prepared, store.processed_folder)
    yield inspected(prepared, model, comparison.protocol.max_tokens, store.data_folder, chats)

"""What is exported: the saved model of a comparison's arm, with everything that its forms and its card need."""

from dataclasses import dataclass
from pathlib import Path

from showdown.core.artifact import ModelDescription, read_description
from showdown.core.bounds import RequestedData, requested_data
from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.manifest import damage
from showdown.core.method import Job, Method
from showdown.core.predictor import Predictor
from showdown.core.record import Results, RunRecord
from showdown.core.spec import RunSpec
from showdown.data.prepare import load_side, partition_folder
from showdown.methods.table import build
from showdown.prediction.load import kept_run, on_base
from showdown.runner.store import Store, read_results
from showdown.stages.artifact import job_of, open_predictor


@dataclass(frozen=True, kw_only=True)
class Source:
    """The saved model of one arm."""

    output: Path
    """The comparison's folder."""
    results: Results
    record: RunRecord
    spec: RunSpec
    """Of the run, its base where it is now."""
    job: Job
    method: Method
    artifact: Path
    description: ModelDescription
    data: RequestedData
    """How the comparison's texts were read and cleaned, with the system message of the training prompts."""

    def trained(self) -> Predictor:
        """Open the model as it was saved."""
        return open_predictor(self.spec, self.job.labels, self.artifact)

    def side(self, name: str) -> Examples:
        """Return the `validation` or `test` rows of the run's own split.

        Raises:
            UserError: where the comparison's folder lacks them.

        """
        count = int(self.results.data.get("partitions", 1))
        return load_side(partition_folder(Store(self.output).processed_folder, self.record.partition, count), name)


def open_source(output: Path, arm: str | None, base: Path | None) -> Source:
    """Find the saved model of an arm; of several runs the best on validation rows.

    Args:
        output: the comparison's folder.
        arm: its row.
        base: where the pretrained model is now, if it was a local folder.

    Raises:
        UserError: when there is no such model, or it is damaged.

    """
    results = read_results(output)
    names = list(dict.fromkeys(run.name for run in results.runs))
    if arm is None:
        raise UserError(f"name the row whose model is exported (--method); {output} has {', '.join(names)}")
    record = kept_run(results, output, arm, names)
    folder = Store(output).run_folder(record.run_id)
    artifact = folder / "artifact"
    fault = damage(artifact)
    if fault:
        raise UserError(f"the saved model of `{arm}`: {fault} is cut short or missing; remove {folder} and run again")
    spec, description = on_base(record.spec, base), read_description(artifact)
    data = requested_data(results.comparison)
    return Source(
        output=output,
        results=results,
        record=record,
        spec=spec,
        job=job_of(spec, tuple(record.labels)),
        method=build(spec.method, spec.settings),
        artifact=artifact,
        description=description,
        data=data.model_copy(update={"system": description.system or data.system}),
    )

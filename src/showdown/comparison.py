"""A comparison as an object: for notebooks, where its display is its table and its chart.

comparison = showdown.Comparison("reviews.csv", methods=["tfidf", "frozen", "lora"], protocol={"epochs": 5})
comparison.run()
comparison.predict(["Works as described."])

Everything is done by `showdown.api`, as on the command line: a comparison that was run by one is opened by the other.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from showdown import api
from showdown.config.target import Target, comparison_for, default_output
from showdown.core.errors import UserError, suggestion
from showdown.core.quiet import quiet_loggers
from showdown.core.record import Results

if TYPE_CHECKING:
    from showdown.exporting.export import Exported
    from showdown.planning.options import PlanOptions
    from showdown.planning.planned import Planned
    from showdown.prediction.model import Prediction
    from showdown.prediction.writer import Prompt, WrittenAnswer
    from showdown.report.figures.figure import Figure
    from showdown.runner.audit import Audited
    from showdown.verdict.model import Verdict
    from showdown.verdict.options import JudgeOptions

_FIRST_FIGURE = "trade-off"


class Comparison:
    """A comparison and the folder of its results."""

    def __init__(
        self,
        source: Target,
        *,
        output: Path | str | None = None,
        methods: Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> None:
        """Take a comparison that is to be run, or one that was.

        Args:
            source: a data file, a comparison's YAML file or mapping, or a folder of results.
            output: folder of the results; `showdown-out/NAME` by default.
            methods: the arms, by name or each with its settings, as in `{"lora": {}, "lora-r64": {"method": "lora",
                "rank": 64}}`; by default those of the file, or the default methods for a data file.
            settings: keys of a comparison, such as `seeds=[0, 1]`, `protocol={"epochs": 5}` or `model={"id": ...}`, in
                place of those of a file. Keys within a key that is not named stay as they are.

        Raises:
            UserError: for anything wrong in it.

        """
        # tqdm warns wherever a notebook lacks ipywidgets, which nothing here uses.
        warnings.filterwarnings("ignore", message="IProgress not found")
        if isinstance(methods, Mapping):
            settings, methods = {**settings, "methods": methods}, None
        if isinstance(source, Mapping):
            source, settings = {**source, **settings}, {}
        elif settings and not isinstance(source, (str, Path)):
            raise UserError("settings are for a file or a mapping; change the comparison itself")
        self.definition = comparison_for(source, methods=methods, overrides=_overrides(settings), say=print)
        """What is compared, with every default (`docs/configuration.md`)."""
        self.output = Path(output) if output else default_output(self.definition, source)
        """Folder of the results."""

    def audit(self) -> "Audited":
        """Look at the data before anything is trained: copies, leaks, long texts, rare labels. See `api.audit`."""
        return api.audit(self.definition)

    def plan(self, **options: Unpack["PlanOptions"]) -> "Planned":
        """Return what the rest of it will need: memory, time and money of every arm; options as in `api.plan`."""
        if options.get("gpu") is None:
            options.setdefault("output", self.output)
        return api.plan(self.definition, **options)

    def run(self, *, quiet: bool = False) -> Self:
        """Run what is left of it, with progress unless `quiet`; calling it again goes on where it was stopped."""
        from contextlib import closing

        from showdown.core.terminal import open_console
        from showdown.display.terminal import display_for

        if quiet:
            api.run(self.definition, output=self.output)
        else:
            with closing(display_for(open_console())) as display:
                api.run(self.definition, output=self.output, display=display)
        return self

    @property
    def results(self) -> Results:
        """The records of all runs.

        Raises:
            UserError: where it has not been run.

        """
        return api.load(self.output)

    def judge(
        self, *, limits: Mapping[str, float | None] | None = None, **options: Unpack["JudgeOptions"]
    ) -> "Verdict":
        """Return what can be said of it; `limits`, `metric`, `margin_points` and others as in `api.judge`."""
        return api.judge(self.output, limits=limits, **options)

    def frame(self) -> Any:
        """Return all records as a pandas DataFrame: a row a run, a column for each thing that a record holds.

        Raises:
            UserError: where pandas is not installed.

        """
        try:
            import pandas
        except ImportError as error:
            raise UserError("a DataFrame needs pandas: run `pip install pandas`") from error
        from showdown.report.records.flat import flat_columns

        return pandas.DataFrame(flat_columns(self.results))

    def figures(self, **options: Unpack["JudgeOptions"]) -> "dict[str, Figure]":
        """Return all figures that it has something to show in, by name; `options` as in `judge`."""
        from showdown.report.figures.gallery import figures_of

        return {figure.name: figure for figure in figures_of(self.results, self.judge(**options), self.output)}

    def plot(self, name: str = _FIRST_FIGURE, **options: Unpack["JudgeOptions"]) -> "Figure":
        """Return a figure, which a notebook shows; `figures` has the names, and its `chart` is an Altair chart.

        Raises:
            UserError: for a name that it has no figure of.

        """
        found = self.figures(**options)
        if name not in found:
            raise UserError(f"no figure `{name}`{suggestion(name, found)}; there are {', '.join(found)}")
        return found[name]

    def predict(self, texts: "Sequence[Prompt]", method: str | None = None) -> "list[Prediction] | list[WrittenAnswer]":
        """Answer texts with the saved model of a row; by default with the recommended one."""
        with quiet_loggers("transformers"):
            return api.predict(self.output, self._chosen(method), texts)

    def export(self, folder: Path | str, method: str | None = None, *, form: str | None = None) -> "Exported":
        """Write the saved model of a row for use without Showdown, and score it again; see `api.export`."""
        with quiet_loggers("transformers"):
            return api.export(self.output, self._chosen(method), folder, form=form)

    def report(self, formats: Sequence[str] | None = None, **options: Unpack["JudgeOptions"]) -> list[Path]:
        """Write its report; by default as HTML, Markdown, PDF and figures. See `api.write_reports`."""
        return api.write_reports(self.output, formats=formats, **options)

    def _chosen(self, method: str | None) -> str:
        if method is not None:
            return method
        found = self.judge().recommendation.chosen
        if found is None:
            raise UserError("no row is recommended: name one, as in `method='lora'`")
        return found

    def __repr__(self) -> str:
        return f"Comparison({self.definition.name!r}, output={str(self.output)!r})"

    def _repr_html_(self) -> str:
        """Return its verdict, table and first figure; what is to be run where nothing was."""
        try:
            results = self.results
        except UserError:
            from showdown.core.notebook import html_list

            return html_list(f"{self.definition.name}, not run yet", self.definition.methods)
        from showdown.report.notebook import notebook_html

        return notebook_html(results, self.judge(), self.figures().get(_FIRST_FIGURE))


def _overrides(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return settings as a command line has them: `protocol.epochs=5`."""
    found = []
    for key, value in settings.items():
        if isinstance(value, Mapping) and prefix == "" and key != "methods":
            found += _overrides(value, f"{key}.")
        else:
            found.append(f"{prefix}{key}={json.dumps(value, default=str)}")
    return found

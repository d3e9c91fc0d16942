"""What is compared: the comparison as its user writes it, and the runs that follow from it.

Every model forbids unknown keys and is frozen: what was hashed is what runs.
"""

import hashlib
import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from showdown.core.memory import MemorySettings
from showdown.core.metric import AUTO, CLASSIFICATION, GENERATION, metric_key
from showdown.core.metric_choice import refuse_other_task, refuse_own_without_scorer
from showdown.core.split import AutoSplit, Fraction, SplitSpec
from showdown.core.strict import Strict, added_later, identity_of

DEFAULT_WRITER = "smollm2-135m-instruct"
"""The built-in model of a task that writes text."""
RUN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RunName = Annotated[str, StringConstraints(pattern=rf"^{RUN_NAME.pattern}$")]
Memory = Literal["speed", "lean"] | Annotated[float, Field(gt=0.0)]
Cleaning = Literal["none", "whitespace", "study"]
Quoting = Literal["auto", "standard", "none"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every library takes."""
TrainFraction = Annotated[float, Field(gt=0.0, le=1.0)]


class ModelSpec(Strict):
    """Which pretrained model every method starts from."""

    id: str = Field(default="all-minilm-l6-v2", min_length=1)
    """A built-in model's name (`all-minilm-l6-v2`, `smollm2-135m-instruct`), a local folder, or a Hugging Face id. The
    second is the default of a task that writes text."""
    revision: str | None = None
    """A Hub commit; without it the newest is looked up once and recorded."""
    chat_template: str | None = added_later(None, min_length=1)
    """A Jinja template that lays out chat messages, or the path of a file with one, in place of the model's own.
    For tasks that write text."""


class SplitFiles(Strict):
    """Split files that the user made; nothing is moved between them."""

    train: str
    validation: str | None = None
    """Without it validation rows are cut from the training file (`protocol.split.validation`)."""
    test: str


class DataSpec(Strict):
    """Where the labelled texts are and how they are read and cleaned."""

    source: str = "resumes"
    """A file (CSV, TSV, JSONL, JSON, Parquet), a Hugging Face dataset id, or a built-in name: `resumes` (labels) or
    `notes` (prompts and answers)."""
    files: SplitFiles | None = None
    """Given split files, instead of `source`."""
    text: str | None = None
    """Column of the text; guessed where only one guess is possible."""
    label: str | None = None
    """Column of the label; guessed where only one guess is possible."""
    prompt: str | None = added_later(None)
    """Column of the prompt, for a task that writes text; guessed where only one guess is possible. So for the next."""
    answer: str | None = added_later(None)
    """Column of the wanted answer."""
    messages: str | None = added_later(None)
    """Column of whole chats, each a list of messages with `role` and `content`, in place of prompt and answer."""
    system: str | None = added_later(None, min_length=1)
    """A system message that is put before every prompt: the instruction that all rows have in common."""
    overlong: Literal["error", "drop", "cut"] = added_later("error")
    """What becomes of rows with more tokens than `protocol.max_tokens`, for a task that writes text: they stop the run,
    they are left out, or the longest message before the answer is cut. No answer is ever cut."""
    labels: Annotated[list[str], Field(min_length=2)] | None = None
    """Keep the rows of these labels alone; by default all."""
    rare_labels: Literal["error", "drop", "merge"] = "error"
    """What becomes of labels with fewer than three different texts, too few for a split: they stop the run, their rows
    are left out, or they are counted as one label, `rare_label`."""
    rare_label: str = Field(default="(rare labels)", min_length=1)
    """What merged labels are called; no label of the data may have this name."""
    limit: int | None = Field(default=None, ge=2)
    """The most rows that are used: a sample stratified by label, with all copies of a text or none of them, drawn by
    `protocol.split.seed`."""
    encoding: str = "utf-8"
    separator: str | None = None
    """Column separator; by default a comma, or a tab for .tsv."""
    quoting: Quoting = "auto"
    """Whether quote marks in CSV and TSV enclose cells (`standard`, RFC 4180) or are characters like others (`none`).
    `auto` takes the reading under which the whole file is consistent, and says so where that is `none`."""
    header: bool | Literal["auto"] = "auto"
    """Whether the first line of a CSV or TSV file has the names of the columns. Without names they are `column 1`,
    `column 2` and so on. `auto` says so where the first line cannot be a header."""
    clean: Cleaning = "whitespace"
    """What is changed in labelled texts. Prompts and answers stay as they are, but for the ends of their lines."""
    near_duplicate_jaccard: Fraction = 0.8
    """Two texts whose bags of words overlap by this much (Jaccard), and whose word pairs agree, are near-duplicates.
    Short texts, texts that were cut and scripts without spaces have rules of their own (`docs/audit.md`).

    0.8 allows 11 % of the words to be replaced: k of n give (n - k) / (n + k)."""
    allow_leakage: bool = False
    """Let copies cross the split. The result then says so everywhere."""


class TuningSpec(Strict):
    """The search for each trained method's learning rate: an equal budget for all, on validation rows alone."""

    trials: int = Field(default=6, ge=3, le=200)
    """Trainings at different rates for each run, each until it has converged."""
    epochs: int | None = Field(default=None, ge=1)
    """The most epochs of a trial; by default those of the protocol."""
    widen: bool = True
    """Where the best rate lies at an end of a method's range, search beyond it, at most twice, in the same budget."""


class SharedProtocol(Strict):
    """Settings that all arms of a comparison share, except those that an arm's own `protocol` overrides."""

    split: SplitSpec = AutoSplit()
    tuning: TuningSpec | Literal["auto"] | None = "auto"
    """The search for learning rates; `auto` searches where it is cheap. With `null` every method trains at the rate of
    its settings."""
    epochs: int = Field(default=50, ge=1)
    """The most epochs of a training, which ends sooner once it has converged."""
    patience_epochs: int | None = Field(default=3, ge=1)
    """Epochs without progress on the validation rows after which the rate falls to 0 and training ends. With `null` all
    epochs are trained, the rate falling from the end of the warm-up."""
    max_seconds: float | None = Field(default=None, gt=0.0)
    """The most seconds of training alone for one run; the rate then falls to 0 in time. A search for a prompt ends with
    the row of validation that they end in."""
    max_cost: float | None = Field(default=None, gt=0.0)
    """The most that the training of one run may cost, at `price_per_hour`."""
    price_per_hour: float | None = Field(default=None, gt=0.0)
    effective_batch_rows: int = Field(default=16, ge=1)
    """Training rows of one optimizer step, whatever the micro-batch."""
    micro_batch_rows: int | None = Field(default=None, ge=1)
    """Rows of one forward pass, in place of those that `memory` chooses."""
    memory: Memory = "speed"
    """`speed` keeps all activations and takes the largest micro-batch that fits. `lean` uses activation checkpointing
    and takes the smallest micro-batch that keeps the processor busy. A number takes the fastest settings within so many
    GB of a GPU."""
    match_memory: bool = True
    """Give all methods the memory settings at which each of them fits. Otherwise each gets its own best settings."""
    moments_on_host: bool = False
    """Offload the optimizer state of full fine-tuning to the host's memory: slow, and a third of the GPU's memory."""
    weight_rounding: Literal["auto", "nearest", "stochastic", "float32"] = "auto"
    """How steps on bfloat16 weights are rounded: to nearest, at random in proportion, or with float32 master weights.
    `auto` keeps master weights on a CPU and where few weights learn; where all do, a GPU rounds stochastically."""
    max_tokens: int = Field(default=512, ge=8)
    """Texts are cut after this many tokens, for every method that counts tokens."""
    warmup_fraction: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of all steps in which the rate warms up; of five epochs where training ends by itself."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """Optimizer steps in which the rate warms up, in place of `warmup_fraction`."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    max_gradient_norm: float | None = Field(default=1.0, gt=0.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Dropout of the pretrained network; by default that of its own configuration."""
    label_smoothing: float = added_later(0.0, ge=0.0, lt=1.0)
    """Share of the target that the training loss spreads evenly over all labels, or over the vocabulary where answers
    are written (Szegedy et al., arXiv 1512.00567). The validation loss has none."""
    loss_on: Literal["answers", "all"] = added_later("answers")
    """Which tokens a task that writes text is trained on: those of the answers, or prompts too."""
    max_new_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = added_later("auto")
    """The most tokens that a model may write for one prompt. `auto` follows from the longest wanted answer."""
    scorer: str | None = added_later(None, min_length=1)
    """A score of your own for written answers: `path/to/file.py:function`, or the name of an installed one."""
    select_epoch: Literal["best", "last"] = "best"
    """Score the epoch that gives the right labels of the validation rows the highest mean probability, or the last."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 on a GPU that has it, float32 elsewhere."""
    deterministic: bool = False
    """Bitwise equal reruns on a GPU, at some cost in speed. A CPU run always is, with the same number of threads."""
    checkpoint_every_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps between checkpoints; by default one checkpoint an epoch."""

    @property
    def seconds_allowed(self) -> float | None:
        """The most seconds of training, by time or by money; None where there is no such limit."""
        limits = [self.max_seconds] if self.max_seconds is not None else []
        if self.max_cost is not None and self.price_per_hour is not None:
            limits.append(3600.0 * self.max_cost / self.price_per_hour)
        return min(limits, default=None)

    @model_validator(mode="after")
    def _money_has_a_price(self) -> Self:
        if (self.max_cost is None) != (self.price_per_hour is None):
            raise ValueError("`max_cost` and `price_per_hour` go together: seconds are one divided by the other")
        return self

    @model_validator(mode="after")
    def _moments_on_host_can_be(self) -> Self:
        if self.moments_on_host and self.max_gradient_norm is not None:
            raise ValueError(
                "`moments_on_host` steps inside the backward pass, before the norm of all gradients is known: "
                "set `max_gradient_norm: null`"
            )
        if self.moments_on_host and self.weight_rounding == "float32":
            raise ValueError(
                "`moments_on_host` keeps no float32 master weights: set `weight_rounding` to another value"
            )
        return self


class ComparisonProtocol(SharedProtocol):
    """The protocol of a comparison: that of its runs, and the metric of its verdict, which no run depends on."""

    metric: Annotated[str, BeforeValidator(metric_key)] = AUTO
    """What methods are ranked, tested and recommended by: `accuracy`, `f1_macro`, `mcc`, `balanced_accuracy`,
    `f1_weighted`, `precision_weighted`, `recall_weighted`, or of one label `f1: LABEL` or `average_precision: LABEL`.
    `auto` is accuracy, and macro F1 where one label has at least 80 % of the test rows. Of written answers it is one of
    `exact_match`, `numeric_match`, `json_valid`, `json_fields`, `rouge_l`, `chrf`, `token_loss` and `perplexity`, or
    `own`, the score of `scorer`; `auto` takes `json_fields` where the wanted answers are JSON objects, `numeric_match`
    where they are numbers, `exact_match` where they have at most 10 words at the median, else `rouge_l`. No run depends
    on it."""


class Comparison(Strict):
    """A whole comparison, as its YAML file says it."""

    name: RunName = "comparison"
    task: str = added_later(CLASSIFICATION)
    """What is learned from the examples: `classification`, one label for each text, or `generation`, an answer to each
    prompt."""
    model: ModelSpec = ModelSpec()
    data: DataSpec = DataSpec()
    methods: dict[RunName, dict[str, Any]] = Field(min_length=1)
    """Arms, which are the rows of the table: a name and the method's settings. `method:` names the method of an arm
    with another name.

    `protocol:` overrides the shared protocol for this arm. The table and the verdict name each such difference.
    """
    protocol: ComparisonProtocol = ComparisonProtocol()
    seeds: Annotated[list[Seed], Field(min_length=1)] | Literal["auto"] = "auto"
    """Each seed varies initialization and order. `auto` is three seeds where they cost little, else one."""
    learning_curve: list[TrainFraction] = Field(default=[1.0])
    """Shares of the training rows on which every method that learns is trained: nested subsets, rising to 1.0."""
    keep_models: Literal["none", "best", "all"] = "best"
    """Which saved models stay on the disk: none, the best seed of every row, or all."""
    share_base: bool | None = None
    """Runs that leave the pretrained network as it was (LoRA and its kin: seeds, folds, variants) are trained and
    scored one after the other in one process that loads it once. By default on a GPU alone."""
    sampling_seconds: float = Field(default=1.0, ge=0.0)
    """Seconds between two samples of processor, memory and GPU in each run's `system.jsonl`; 0 samples nothing."""
    gpus: Annotated[list[str], Field(min_length=1)] | None = None
    """GPUs of this machine to use, each by a run at a time: numbers, which count those in `CUDA_VISIBLE_DEVICES` where
    it is set, or UUIDs. All by default. No run depends on it, nor on the next three."""
    gpus_per_run: Literal["auto", 1, 2, 4, 8, 16, 32, 64] = "auto"
    """GPUs of this machine that train one run together. `auto` takes several for an arm that does not fit one, its
    weights divided among them, and where fewer trainings are left than GPUs, unless `deterministic` is set. The table
    names the difference."""
    executor: str = "local"
    """Where the stages of runs go: `local`, this machine, or `ray`, a Ray cluster (`docs/scale.md`)."""
    address: str | None = None
    """Of a running cluster, for `executor: ray`: `auto`, or as `ray start` says it. Without it Ray is started here."""
    trackers: list[str] = Field(default=[])
    """Tools that get a copy of every run's numbers: `wandb`, `mlflow`, `tensorboard`, `trackio`; no network is used."""
    margin_points: float = Field(default=1.0, gt=0.0, le=100.0)
    """How many points of `protocol.metric`, as a rule of accuracy, a method may be worse and still do as well; no run
    depends on it."""

    @model_validator(mode="after")
    def _curve_rises_to_all_rows(self) -> Self:
        if self.learning_curve != sorted(set(self.learning_curve)) or self.learning_curve[-1:] != [1.0]:
            raise ValueError("`learning_curve` rises and ends with all rows, as in [0.25, 0.5, 1.0]")
        return self

    @model_validator(mode="after")
    def _metric_is_of_the_task(self) -> Self:
        try:
            refuse_other_task(self.protocol.metric, self.task)
            refuse_own_without_scorer(self.protocol.metric, self.protocol.scorer)
        except ValueError as error:
            raise ValueError(f"`protocol.metric`: {error}") from error
        return self

    @field_validator("gpus", mode="before")
    @classmethod
    def _numbers_are_names(cls, written: object) -> object:
        """Read `gpus: 0,1`, `gpus: 0` and `gpus: [0, 1]` alike."""
        if isinstance(written, int) and not isinstance(written, bool):
            return [str(written)]
        if isinstance(written, str):
            return [word.strip() for word in written.split(",")]
        if isinstance(written, list):
            return [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in written]
        return written

    @field_validator("methods", mode="before")
    @classmethod
    def _nothing_is_no_settings(cls, written: object) -> Any:
        """Read `lora:` with nothing behind it as `lora: {}`."""
        if isinstance(written, dict):
            return {row: {} if settings is None else settings for row, settings in written.items()}
        return written

    @model_validator(mode="before")
    @classmethod
    def _model_of_the_task(cls, written: object) -> Any:
        """Fill in the default model of a task that writes text: the default of classification writes none."""
        if not isinstance(written, dict) or written.get("task") != GENERATION:
            return written
        model = written.get("model", {})
        if isinstance(model, dict) and "id" not in model:
            return {**written, "model": {**model, "id": DEFAULT_WRITER}}
        return written

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int] | Literal["auto"]) -> list[int] | Literal["auto"]:
        if isinstance(seeds, list):
            for seed in seeds:
                if seeds.count(seed) > 1:
                    raise ValueError(f"seed {seed} is there {seeds.count(seed)} times; give each once")
        return seeds

    @model_validator(mode="after")
    def _one_source_of_the_split(self) -> Self:
        kind = self.protocol.split.kind
        if self.data.files is not None and self.data.source != DataSpec.model_fields["source"].default:
            raise ValueError(f"`data.source: {self.data.source}` and `data.files` exclude each other; drop one")
        if self.data.files is not None and kind not in ("auto", "given"):
            raise ValueError(f"`data.files` gives the split: drop `protocol.split.kind: {kind}`, or give `data.source`")
        if self.data.files is None and kind == "given":
            raise ValueError("`protocol.split.kind: given` needs `data.files` with train and test")
        return self


Needs = Literal["training", "search", "network", "text"]
"""What a method works with: the training loop, the pretrained network without it, the same with a search in the time of
a training, or the texts alone."""
TRAINING_KEYS = frozenset(
    {
        "epochs",
        "patience_epochs",
        "max_seconds",
        "max_cost",
        "price_per_hour",
        "effective_batch_rows",
        "micro_batch_rows",
        "memory",
        "match_memory",
        "moments_on_host",
        "weight_rounding",
        "warmup_fraction",
        "warmup_steps",
        "weight_decay",
        "max_gradient_norm",
        "label_smoothing",
        "loss_on",
        "select_epoch",
        "checkpoint_every_steps",
        "tuning",
    }
)
"""Keys of the protocol that a method without a training loop does not have."""
_TIME_KEYS = frozenset({"max_seconds", "max_cost", "price_per_hour"})
_UNUSED: dict[Needs, frozenset[str]] = {
    "training": frozenset(),
    "search": TRAINING_KEYS - _TIME_KEYS,
    "network": TRAINING_KEYS,
    "text": TRAINING_KEYS | {"max_tokens", "max_new_tokens", "dropout"},
}


_NO_IDENTITY = ("needs", "memory")
"""Fields of a run that cannot change what it is."""


class RunSpec(Strict):
    """One run: one arm with one seed on one partition. Its hash is its identity."""

    name: RunName
    method: str
    settings: dict[str, Any]
    """Settings of the method, defaults filled in, except keys that were added later and have their default."""
    model: ModelSpec
    protocol: SharedProtocol
    seed: int
    partition: int = 0
    train_fraction: TrainFraction = 1.0
    """Share of the partition's training rows that is trained on; less than 1.0 is a point of the learning curve."""
    data_fingerprint: str
    task: str = added_later(CLASSIFICATION)
    scorer_digest: str | None = added_later(None)
    """Of the file of `protocol.scorer`, SHA-256, or the name and version of its package: another one scores anew."""
    needs: Needs = "training"
    """What the method works with; settings of anything else have no part in the run's identity."""
    memory: MemorySettings | None = None
    """What the memory plan gives the run; None where nothing is planned: on a CPU, or without training."""

    @property
    def run_id(self) -> str:
        """A file-system name that changes when anything that can change the result changes, and at nothing else."""
        identity = identity_of(self)
        for key in _NO_IDENTITY:
            del identity[key]
        unused = _UNUSED[self.needs]
        if self.needs == "search" and self.protocol.seconds_allowed is None:
            unused = TRAINING_KEYS  # as in earlier versions, where no search had a limit
        identity["protocol"] = {key: value for key, value in identity["protocol"].items() if key not in unused}
        if self.needs == "text":
            del identity["model"]
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        return f"{self.name}-s{self.seed}-p{self.partition}-{digest[:10]}"

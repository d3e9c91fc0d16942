"""Exporting one model in one form: written, opened as others open it, scored again, recorded."""

from dataclasses import dataclass
from pathlib import Path

from showdown.core.artifact import CONFIDENCE_FILE
from showdown.core.errors import Unavailable, UserError
from showdown.core.exported import EXPORTS_FOLDER, PREDICTIONS_FILE, RECORD_FILE, ExportRecord, export_key
from showdown.core.files import write_folder, write_json, write_text
from showdown.core.predictor import Predictor
from showdown.exporting.card import card
from showdown.exporting.form import Form, Shipped
from showdown.exporting.score import Answered, Timed, answered, compared, timed
from showdown.exporting.source import Source, open_source
from showdown.exporting.table import chosen_form
from showdown.models.companions import CARD
from showdown.prediction.failure import reason_of


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported model."""

    folder: Path
    record: ExportRecord
    address: str | None = None
    """Where it is on the Hugging Face hub; None where it was not sent."""


def export(output: Path, arm: str | None, folder: Path, *, form: str | None, base: Path | None) -> Exported:
    """Write the saved model of an arm into a folder, and score what was written on the test rows.

    The folder appears whole, or not at all. The record goes into the comparison's folder, where reports find it.

    Args:
        output: the comparison's folder.
        arm: its row.
        folder: where the model goes: a new folder, or an empty one.
        form: a name in `FORMS`; by default the first that the model can have.
        base: where the pretrained model is now, if it was a local folder.

    Raises:
        UserError: for a folder with something in it, a model that cannot have the form, or rows that are missing.

    """
    refuse_filled(folder)
    source = open_source(output, arm, base)
    name, made = chosen_form(form, source)
    source.side("test"), source.side("validation")  # before minutes of work
    trained = _time_trained(source)
    records: list[ExportRecord] = []

    def fill(partial: Path) -> None:
        shipped = made.write(source, partial)
        found = _answered(source, made, partial)
        records.append(_record(source, name, made, shipped=shipped, found=found, trained=trained, folder=partial))
        if found.measured.confidence:
            write_json(partial / CONFIDENCE_FILE, found.measured.confidence.model_dump(mode="json"))
        write_text(partial / CARD, card(source, records[0], shipped))

    try:
        write_folder(folder.resolve(), fill)
    except (UserError, OSError):
        raise
    except Unavailable as error:
        raise UserError(f"`{source.record.name}` cannot be exported here: {error}") from error
    except Exception as error:
        raise UserError(f"`{source.record.name}` cannot be exported as {name} ({reason_of(error)})") from error
    return Exported(folder=folder, record=records[0])


def refuse_filled(folder: Path) -> None:
    """Refuse a folder that has something in it, or is a file.

    Raises:
        UserError: naming it.

    """
    if folder.is_file():
        raise UserError(f"--to {folder}: this is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"--to {folder}: the folder is not empty; name a new one, or empty it")


def _time_trained(source: Source) -> Timed:
    """Time the trained model, and let go of it before the form is opened."""
    from showdown.stages.base_cache import free_memory

    found = timed(source, source.trained())
    free_memory()
    return found


def _answered(source: Source, form: Form, folder: Path) -> Answered:
    from showdown.stages.base_cache import free_memory

    free_memory()
    predictor: Predictor = form.open(source, folder)
    return answered(source, predictor)


def _record(
    source: Source, name: str, form: Form, *, shipped: Shipped, found: Answered, trained: Timed, folder: Path
) -> ExportRecord:
    """Write predictions and record into the comparison's folder, the record last."""
    place = source.output / EXPORTS_FOLDER / export_key(source.record.name, name)
    (place / RECORD_FILE).unlink(missing_ok=True)
    write_text(place / PREDICTIONS_FILE, found.predictions)
    record = compared(source, name, form, shipped=shipped, found=found, trained=trained, folder=folder)
    write_json(place / RECORD_FILE, record.model_dump(mode="json"))
    return record

"""The chat template of a model: its own, or the one that `model.chat_template` names."""

from pathlib import Path

from showdown.core.errors import UserError, nearest_file, then
from showdown.core.spec import ModelSpec

PLAIN = "plain"
"""Name of the template for models that know no chats: the messages, a line each, and the answer behind them."""
PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}{{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '\\n' }}{% endfor %}"
)
_MARKS = ("{{", "{%")
"""A text with one of these is a template, and no path."""
_FIX = f"give a Jinja template, the path of a file with one, or `{PLAIN}` for a model that was trained on plain text"
_MOST_BYTES = 1_000_000


def with_chat_template(spec: ModelSpec) -> ModelSpec:
    """Return a model with the content of its template's file in place of the path, so that runs keep what they used.

    Raises:
        UserError: for a file that is missing, cannot be read or holds no template.

    """
    written = spec.chat_template
    if written is None or written == PLAIN or any(mark in written for mark in _MARKS):
        return spec
    return spec.model_copy(update={"chat_template": _read(written)})


def template_text(written: str | None) -> str | None:
    """Return the Jinja text of `model.chat_template` as runs have it; None for the model's own template."""
    return PLAIN_TEMPLATE if written == PLAIN else written


def _read(written: str) -> str:
    place = f"model.chat_template: {written[:200]}"
    try:
        path = Path(written).expanduser()
        if not path.is_file():
            folder = path.parent if path.parent.is_dir() else None
            near = nearest_file(path.name, [file.name for file in folder.iterdir()]) if folder else ""
            what = "is a folder" if path.is_dir() else "no such file"
            raise UserError(f"{place}: {what}{then(near, _FIX)}")
        content = path.read_bytes()
        if len(content) > _MOST_BYTES:
            raise UserError(f"{place}: {len(content):,} bytes are no template; {_FIX}")
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{place}: cannot be read ({error}); {_FIX}") from error
    if not any(mark in text for mark in _MARKS):
        raise UserError(f"{place}: the file holds no Jinja template; {_FIX}")
    return text

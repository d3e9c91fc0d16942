"""The table of forms: a name and where its class is, as a string, so that a look at it imports no torch."""

from showdown.core.errors import UserError
from showdown.core.registry import Registry, class_of
from showdown.exporting.form import Form
from showdown.exporting.source import Source

FORMS: Registry[type[Form]] = Registry(
    "form",
    "showdown.forms",
    {
        "adapter": "showdown.exporting.forms.adapter:Adapter",
        "merged": "showdown.exporting.forms.merged:Merged",
        "skops": "showdown.exporting.forms.skops:Skops",
        "onnx": "showdown.exporting.forms.onnx:Onnx",
        "onnx-int8": "showdown.exporting.forms.onnx_int8:OnnxInt8",
        "gguf": "showdown.exporting.forms.gguf:Gguf",
        "gguf-q8": "showdown.exporting.forms.gguf_q8:GgufQ8",
    },
    class_of(Form),  # type: ignore[type-abstract]
)
"""In the order in which one is chosen where none is named. Packages add forms by entry points of `showdown.forms`."""


def chosen_form(name: str | None, source: Source) -> tuple[str, Form]:
    """Return a form that a model can have: the one that is named, or the first that goes.

    Raises:
        UserError: for an unknown form, one that the model cannot have, or one whose packages are missing. The message
            names the forms that it can have.

    """
    arm = source.record.name
    fitting = {key: made for key in FORMS if (made := FORMS.load(key)()).refusal(source) is None}
    possible = f"it can be exported as {', '.join(fitting)}" if fitting else "there is no form for it"
    if name is None:
        if not fitting:
            raise UserError(
                f"`{arm}` cannot be exported: {FORMS.load(next(iter(FORMS)))().refusal(source)}; "
                "`showdown predict` answers with it"
            )
        name = next(iter(fitting))
    form = FORMS.load(name)()
    why = form.refusal(source)
    if why is not None:
        raise UserError(f"--form {name}: `{arm}` {why}; {possible}")
    lacking = form.missing()
    if lacking is not None:
        raise UserError(f"--form {name}: {lacking}")
    return name, form

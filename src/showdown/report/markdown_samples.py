"""Written answers side by side in Markdown."""

from collections.abc import Iterator

from showdown.report.answer_difference import Piece
from showdown.report.markdown_text import escaped
from showdown.report.samples import Samples, WrittenAnswer

_MOST_TEXT = 600
"""Characters of a prompt or an answer."""


def samples_in_markdown(written: Samples) -> Iterator[str]:
    """Yield the samples: a heading, prompt and wanted answer, and the answers as a list."""
    yield escaped(written.note)
    for group in written.groups:
        for one in group.samples:
            yield f"**{escaped(group.title)}: row {one.row}**"
            if one.prompt is not None:
                yield f"Prompt: {_in_short(one.prompt)}"
                yield f"Wanted: {_in_short(one.wanted or '')}"
            for answer in one.answers:
                yield f"- {_answer(answer, written.heading)}"


def _answer(answer: WrittenAnswer, heading: str) -> str:
    about = f" ({escaped(answer.about(heading))})" if answer.about(heading) else ""
    fields = "; ".join(
        f"{escaped(one.name)}: {_struck(one.wanted or '')} {_added('missing' if one.written is None else one.written)}"
        for one in answer.fields
    )
    text = " ".join(filter(None, map(_piece, answer.pieces))) or "nothing written"
    return f"{escaped(answer.name)}{about}: {text}{f' ({fields})' if fields else ''}"


def _piece(piece: Piece) -> str:
    """Return a part of an answer. Spaces stand around each, or Markdown might not see the marks."""
    if piece.kind == "same":
        return _in_short(piece.text)
    return _struck(piece.text) if piece.kind == "missing" else _added(piece.text)


def _struck(text: str) -> str:
    return f"~~{_in_short(text)}~~" if text.strip() else ""


def _added(text: str) -> str:
    return f"**{_in_short(text)}**" if text.strip() else ""


def _in_short(text: str) -> str:
    """Return a text on one line, cut where it is long."""
    shown = escaped(text[:_MOST_TEXT]).replace("~", r"\~")
    return shown + (" ..." if len(text) > _MOST_TEXT else "")

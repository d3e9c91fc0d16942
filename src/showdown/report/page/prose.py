"""Sentences as HTML."""

from markupsafe import Markup

from showdown.report.prose import spans

_CODE = Markup("<code>{}</code>")


def prose(sentence: str) -> Markup:
    """Return a sentence, escaped, with what stands between backticks as code."""
    return Markup().join(_CODE.format(part) if is_code else part for part, is_code in spans(sentence))

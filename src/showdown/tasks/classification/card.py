"""How a saved classifier is used with plain transformers."""

from collections.abc import Sequence

from showdown.core.artifact import LABELS_FILE
from showdown.core.task import CardText

_SCORING = "    scores = model(**inputs).logits.softmax(-1)"
_USE = """inputs = tokenizer(texts, padding=True, truncation=True, return_token_type_ids=False, return_tensors="pt")
with torch.inference_mode():
{scoring}
answers = [labels[best] for best in scores.argmax(-1)]"""


def card(labels: Sequence[str], *, limit: int, scoring: str | None) -> CardText:
    """Return what the card says.

    Args:
        labels: in the order of the scores.
        limit: tokens after which texts are cut.
        scoring: Python of the method that makes `scores`; None for those of the network's head.

    """
    return CardText(
        heading=f"{len(labels)} labels",
        about=f"Trained by Showdown on the labels in `{LABELS_FILE}`, in the order of the scores. Texts are cut at "
        f"{limit} tokens.",
        imports="",
        reads=f'labels = json.load(open(f"{{folder}}/{LABELS_FILE}", encoding="utf-8"))',
        use=_USE.format(scoring=scoring or _SCORING),
    )

"""What fine-tuning cost beside the task: the score against the rise of the loss on general text."""

from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.points import DIVERGENCE, RISE, named_sentence, panel, points_for


def elsewhere(material: Material) -> Figure | None:
    """Draw a panel for each measure; None where no arm was fine-tuned, or nothing was measured elsewhere."""
    if not any(row.forgetting for row in material.scored):
        return None
    metric = material.metric
    points = {amount: points_for(material.scored, amount, metric) for amount in (RISE, DIVERGENCE)}
    side = "Up" if metric.direction == "higher" else "Down"
    each = "; ".join(
        f"{row.name} {row.forgetting.general_loss_rise:+.2f} nats, {row.forgetting.prompt_kl:.3f} from the base"
        for row in material.scored
        if row.forgetting
    )
    return Figure(
        name="elsewhere",
        title=f"{metric.capital} against what it cost elsewhere",
        alt=f"Points with 95 % intervals against the rise of the loss on general text, and against the divergence from "
        f"the base on the prompts. {side} and left is better. {each}.",
        caption=f"{side} and left is better. Bars are 95 % intervals of the score. A method that trains nothing loses "
        "nothing: it stands at 0." + named_sentence(material.scored) + material.cut_short_sentence,
        panels=tuple(panel(found, amount, material.looks, whiskers=True) for amount, found in points.items() if found),
        columns=2,
        legend={},
    )

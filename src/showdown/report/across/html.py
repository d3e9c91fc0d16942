"""Several comparisons beside each other as one self-contained page, without a script."""

from importlib import resources

from showdown.report.across.beside import Beside


def html(beside: Beside) -> str:
    """Return the page; all text in it is escaped."""
    from jinja2 import Environment

    from showdown.report.figures.across import scores_beside
    from showdown.report.page.drawing import DARK_VARIABLES, LIGHT_VARIABLES, draw
    from showdown.report.page.prose import prose

    figure = scores_beside(beside.comparisons)
    template = resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    made = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters["prose"] = prose
    return made.from_string(template).render(
        beside=beside,
        drawing=draw(figure) if figure else None,
        light=LIGHT_VARIABLES,
        dark=DARK_VARIABLES,
    )

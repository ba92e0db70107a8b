"""An evaluation as one HTML page: no script, no request to anywhere, never a message's text."""

from importlib.resources import files
from os import PathLike

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from underwing.evaluation import plot, wording
from underwing.evaluation.result import Evaluation


def html_report(evaluation: Evaluation, title: str = "Evaluation") -> str:
    """The page as text. The picture is left out, and the page says so, where matplotlib is missing."""
    try:
        picture = Markup(plot.svg(evaluation, ink="currentColor"))  # noqa: S704 (drawn here from numbers)
        no_picture = ""
    except plot.PlotError as error:
        picture, no_picture = Markup(), str(error)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files(__package__).joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(
        title=title,
        values=evaluation.jsonable(),
        curves=plot.curves(evaluation.outcomes),
        picture=picture,
        no_picture=no_picture,
        wording=wording,
    )


def write_report(evaluation: Evaluation, path: str | PathLike[str], title: str = "Evaluation") -> None:
    """Write the page to a file.

    Raises:
        OSError: the file cannot be written.
    """
    with open(path, "w", encoding="utf-8") as file:
        file.write(html_report(evaluation, title))

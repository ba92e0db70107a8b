"""What people see: the page, the terminal and the picture; and that no text of a message is ever in them."""

import io
import sys
from html.parser import HTMLParser

import pytest
from rich.console import Console

from evaluation_cases import Judge, risk, safe
from underwing.evaluation import PlotError, evaluate, html_report, print_evaluation, write_plot, write_report
from underwing.evaluation.plot import curves, svg
from underwing.evaluation.wording import shown

WORDS = "private words"
ODD = "<b>[red]&"


@pytest.fixture
def evaluation():
    whole = [
        risk("r1", harm=6, texts=[WORDS] * 8),
        risk("r2", onset=4, texts=[WORDS] * 8),
        risk(ODD, texts=[WORDS] * 8),
        safe("s1", texts=[WORDS] * 8),
    ]
    return evaluate(
        whole, Judge({"r1/3": ("review", "r1:a"), "r2/3": ("urgent", "r2:a"), "s1/5": ("review", "s1:a")})
    )


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.headers = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [
            value for key, value in attrs if key in ("src", "href", "xlink:href", "action", "data")
        ]
        if tag == "th":
            self.headers.append(found.get("scope"))


def test_the_page_stands_alone_and_holds_no_text(evaluation):
    text = html_report(evaluation, "Trial <1>")
    page = Page(text)
    assert WORDS not in text
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "@import" not in text
    assert "url(http" not in text
    assert "Trial &lt;1&gt;" in text
    assert "prefers-color-scheme: dark" in text


def test_the_pages_tables_say_what_their_headers_head(evaluation):
    page = Page(html_report(evaluation))
    assert page.headers
    assert set(page.headers) == {"col", "row"}


def test_ids_are_escaped_in_the_page_and_not_read_as_markup_in_the_terminal(evaluation):
    assert "&lt;b&gt;[red]&amp;" in html_report(evaluation)
    out = io.StringIO()
    print_evaluation(evaluation, Console(file=out, width=160))
    assert ODD in out.getvalue()


def test_the_terminal_shows_the_measures_and_no_text(evaluation):
    out = io.StringIO()
    print_evaluation(evaluation, Console(file=out, width=160))
    text = out.getvalue()
    assert WORDS not in text
    assert "66.7%" in text
    assert "4 conversations, 3 risk, 1 safe" in text
    assert "False alarms (1): s1" in text


def test_an_empty_evaluation_can_be_shown():
    nothing = evaluate([], Judge())
    assert "–" in html_report(nothing)
    print_evaluation(nothing, Console(file=io.StringIO()))


def test_the_page_is_written(evaluation, tmp_path):
    write_report(evaluation, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == html_report(evaluation)


def test_curves_by_hand(evaluation):
    found = curves(evaluation.outcomes)
    assert found.warned == ((-1, pytest.approx(1 / 3)), (1, pytest.approx(2 / 3)))
    assert found.harmed == ((4, pytest.approx(1 / 3)),)
    assert found.alarmed == ((5, 1.0),)
    assert (found.harms, found.risk, found.safe) == ((4,), 3, 1)


def test_without_matplotlib_the_plot_names_the_extra_and_the_page_goes_without(
    evaluation, no_matplotlib, tmp_path
):
    with pytest.raises(PlotError, match=r"underwing\[plot\]"):
        write_plot(evaluation, tmp_path / "plot.svg")
    assert not (tmp_path / "plot.svg").exists()
    assert "underwing[plot]" in html_report(evaluation)


def test_another_ending_is_refused(evaluation, tmp_path):
    with pytest.raises(PlotError, match=r"not as \.pdf"):
        write_plot(evaluation, tmp_path / "plot.pdf")


def test_the_plot_is_drawn_as_png_and_as_svg(evaluation, tmp_path):
    write_plot(evaluation, tmp_path / "plot.png")
    write_plot(evaluation, tmp_path / "plot.svg")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "messages since onset" in (tmp_path / "plot.svg").read_text("utf-8")
    assert svg(evaluation) == svg(evaluation)
    assert "<svg" in html_report(evaluation)
    assert "currentColor" in html_report(evaluation)


@pytest.mark.parametrize(
    ("value", "shape", "expected"),
    [(None, "share", "–"), (0.5, "share", "50.0%"), (0.00008, "share", "0.008%"), (0, "share", "0.0%"),
     (7.5, "number", "7.5"), (12345.6, "number", "12,346"), (-3, "number", "-3"), (0.1234, "score", "0.123")],
)  # fmt: skip
def test_values_are_written_as_people_read_them(value, shape, expected):
    assert shown({"key": value}, "key", shape) == expected

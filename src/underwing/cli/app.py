"""The command line's table of contents."""

import typer

from underwing import __version__
from underwing.cli import bank_lists, banks, cases, data, demo, exchange, judge, media, scan, service, stores
from underwing.cli.appeals import appeals
from underwing.cli.care import care
from underwing.cli.custody import custody, custody_verify
from underwing.cli.people import people
from underwing.cli.vault import vault
from underwing.cli.watch import watch

app = typer.Typer(
    name="underwing",
    help="Child safety for platforms with chat: events in, explained and early warnings out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"underwing {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Child safety for platforms with chat: events in, explained and early warnings out."""


app.command()(service.serve)
app.command()(demo.demo)
app.command()(judge.replay)
app.command()(judge.evaluate)
app.command()(judge.backtest)
app.command()(data.explain)
app.command()(media.hash)
app.command()(media.match)
app.command()(scan.scan)
app.command()(watch)
banks.banks.command("import")(bank_lists.banks_import)
banks.banks.command("export")(bank_lists.banks_export)
app.add_typer(banks.banks, name="banks")
app.add_typer(exchange.exchange, name="exchange")
app.add_typer(data.packs, name="packs")
app.add_typer(data.keys, name="keys")
app.add_typer(data.policy, name="policy")
app.add_typer(cases.cases, name="cases")
app.command()(cases.guide)
app.add_typer(appeals, name="appeals")
app.add_typer(care, name="care")
app.add_typer(vault, name="vault")
app.add_typer(custody, name="custody")
app.command("verify")(custody_verify)
app.add_typer(stores.casebook, name="casebook")
app.command()(stores.backup)
app.command()(stores.restore)
app.add_typer(people, name="people")

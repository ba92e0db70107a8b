"""The command that runs the service."""

from typing import Annotated

import typer

from underwing.cli.common import stop
from underwing.server.run import serve as serve_settings
from underwing.server.settings import Settings, SettingsError


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="The TCP port (default 8610; 0 lets the system choose).")
    ] = None,
    database: Annotated[str | None, typer.Option(help="The SQLite file (default underwing.db).")] = None,
    packs: Annotated[
        str | None, typer.Option(help="A directory of signal packs laid over the shipped ones.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="A policy file; followed while the service runs.")
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(help="A policy that only tells what it would have done.")
    ] = None,
    durability: Annotated[str | None, typer.Option(help="full (default) or normal.")] = None,
    classifier: Annotated[
        str | None,
        typer.Option(help="Score pictures and videos, as a hint for the policy: open-nsfw (default: none)."),
    ] = None,
) -> None:
    """Run the service. Every other setting is an environment variable (docs/settings.md)."""
    try:
        settings = Settings.read(
            host=host,
            port=port,
            database=database,
            packs=packs,
            policy=policy,
            shadow=shadow,
            durability=durability,
            classifier=classifier,
        )
    except SettingsError as error:
        stop(str(error))
    raise typer.Exit(serve_settings(settings))

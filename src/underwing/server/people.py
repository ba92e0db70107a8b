"""The people of the casebook as the service's settings say, and the identity provider where one is named."""

from collections.abc import Callable
from pathlib import Path

from underwing.casebook.people import People, Span, load_rules
from underwing.casebook.vault import Home
from underwing.server.oidc import Flow, OidcError, Provider, load_oidc
from underwing.server.settings import Settings, SettingsError


def load_people(settings: Settings, home: Home, clock: Callable[[], float]) -> People:
    """Accounts in the casebook's database, recorded in its custody log, their secrets sealed by the vault's keys.

    Raises:
        CasebookError: the file of acts that take a second person cannot be used.
    """
    return People(
        home.database,
        home.custody,
        home.keys,
        clock=clock,
        span=Span(idle=60 * settings.session_idle_minutes, most=3_600 * settings.session_hours),
        rules=load_rules(Path(settings.second) if settings.second else None),
    )


def load_flow(settings: Settings) -> Flow | None:
    """Sign-ins through the identity provider of the settings; None where they name none.

    Raises:
        SettingsError: its file cannot be used.
    """
    if not settings.oidc:
        return None
    try:
        config, secret = load_oidc(Path(settings.oidc))
    except OidcError as error:
        raise SettingsError(f"oidc: {error}") from None
    return Flow(Provider(config, secret))

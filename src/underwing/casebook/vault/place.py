"""Where a vault is when nobody says."""

from pathlib import Path


def vault_beside(casebook: str, given: str = "", beside: Path = Path("here")) -> Path:
    """The directory of the vault: as given, else `vault` beside the casebook's file; for a casebook in PostgreSQL, beside
    the file `beside`."""
    if given:
        return Path(given)
    return (beside if "://" in casebook else Path(casebook)).with_name("vault")

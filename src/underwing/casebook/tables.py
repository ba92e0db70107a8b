"""All tables of the casebook, known to `METADATA` once this is imported. A new part adds its line."""

from underwing.casebook.appeals import tables as appeals
from underwing.casebook.care import tables as care
from underwing.casebook.cases import tables as cases
from underwing.casebook.columns import METADATA
from underwing.casebook.context import tables as context
from underwing.casebook.custody import tables as custody
from underwing.casebook.people import tables as people
from underwing.casebook.vault import tables as vault

__all__ = ["METADATA", "appeals", "care", "cases", "context", "custody", "people", "vault"]

"""The evidence vault: originals sealed at intake, read as a stream, kept as long as they must be, never plainly deleted.

`vault.py` is the way in and out, `keeping.py` the rules of holding and destroying, `verify.py` the proof, `home.py` the
directory that joins them.

May import: model.
"""

from underwing.casebook.keys import KeyFile, KeyRefused, Keys, WrongKey
from underwing.casebook.vault.certificate import Certificate
from underwing.casebook.vault.home import Home
from underwing.casebook.vault.index import Asked, Hold, Stored
from underwing.casebook.vault.keeping import Erasure, Keeping, Refused
from underwing.casebook.vault.retention import Kept, Retention, Rule, load_retention
from underwing.casebook.vault.store import ObjectStore, StoreFailed
from underwing.casebook.vault.vault import Label, Tampered, Vault
from underwing.casebook.vault.verify import verify_vault

__all__ = [
    "Asked",
    "Certificate",
    "Erasure",
    "Hold",
    "Home",
    "Keeping",
    "Kept",
    "KeyFile",
    "KeyRefused",
    "Keys",
    "Label",
    "ObjectStore",
    "Refused",
    "Retention",
    "Rule",
    "StoreFailed",
    "Stored",
    "Tampered",
    "Vault",
    "WrongKey",
    "load_retention",
    "verify_vault",
]

"""What was said around a case: the last messages of each conversation wait encrypted, and are sealed or thrown away.

The engine's state holds no text; this is the only place where text waits, and only here is it decrypted. What waits lies in
a file beside the service (`buffer`), what is sealed in the casebook's database (`sealed`). May import: model.
"""

from underwing.casebook.context.buffer import ContextBuffer
from underwing.casebook.context.keyfile import KeyFileError, load_key
from underwing.casebook.context.lines import ContextError, Line, Said
from underwing.casebook.context.sealed import Sealed, count, share

__all__ = [
    "ContextBuffer",
    "ContextError",
    "KeyFileError",
    "Line",
    "Said",
    "Sealed",
    "count",
    "load_key",
    "share",
]

"""A message becomes signals: normalise (two views, offset map) → scan (all languages at once) → meaning (gated).

Pure functions of the text and the loaded packs: no clock, no I/O, no globals that change.
May import: model.
"""

from underwing.text.canonical import canonical, tokens
from underwing.text.claims import NOTHING, ClaimFinder, Claims
from underwing.text.deobfuscate import Deobfuscator
from underwing.text.entries import Entry, EntryError
from underwing.text.meaning import Meaning
from underwing.text.scan import Scanner
from underwing.text.simhash import near, simhash

__all__ = [
    "NOTHING",
    "ClaimFinder",
    "Claims",
    "Deobfuscator",
    "Entry",
    "EntryError",
    "Meaning",
    "Scanner",
    "canonical",
    "near",
    "simhash",
    "tokens",
]

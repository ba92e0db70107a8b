"""The signal packs: data files by language, and how they are read.

`data/*.toml` hold the languages, `*.young.toml` what speaks for its speaker's being a child. An operator's own directory
is laid over them (same file format: an entry with a known id replaces it, a new one is added). Adding a language is
adding one file here.
May import: model, text (for what an entry is).
"""

from underwing.packs.loader import PackError, Packs, builtin_directory, load_packs

__all__ = ["PackError", "Packs", "builtin_directory", "load_packs"]

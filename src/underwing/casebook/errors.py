"""The casebook's own error, which every part of it raises."""


class CasebookError(RuntimeError):
    """Something the casebook refuses or cannot do; says why in one line."""

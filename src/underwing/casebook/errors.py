"""The casebook's own error, which every part of it raises."""


class CasebookError(RuntimeError):
    """Something the casebook refuses or cannot do; says why in one line of English.

    `key` names the reason for whoever says it in other languages, with `values` to fill in; `who` among them is a member's
    id. It is empty where only whoever runs the service meets the error, at the start or on the command line.
    """

    key = ""

    def __init__(self, message: str, key: str = "", **values: object) -> None:
        super().__init__(message)
        self.key, self.values = key or type(self).key, values

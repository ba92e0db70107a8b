"""The kind of error that is no fault of the program."""


class MendableError(Exception):
    """Whoever started it can mend it: the message is one line that says what is wrong and, where it can, what to do.

    Each room has its own kinds of it; the command line shows their message in place of a traceback.
    """

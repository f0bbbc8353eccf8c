"""The one exception a user of audioformer has to know."""


class AudioformerError(ValueError):
    """Something about the input is wrong: the message says the value, the rule and what to do next.

    Command line: printed as one line, exit status 2. App: shown as a message on the page.
    Anything else that escapes the library is a bug of ours.
    """

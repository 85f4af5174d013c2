"""What cannot be shown or done, told to whoever asked for it."""

from __future__ import annotations

from tornado import web


class PageError(web.HTTPError):
    """An HTTP error that people read: ``error.html`` says it in their language, the log and the API in English.

    Args:
        status_code: HTTP's.
        sentence: what happened and what to do; a :class:`~hpchub.text.Sentence` where there is a translation.
    """

    def __init__(self, status_code: int, sentence: str) -> None:
        super().__init__(status_code, str(sentence))
        # JupyterHub hands this attribute to the page, and the error's own text without it.
        self.jupyterhub_message = self.sentence = sentence

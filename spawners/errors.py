"""What a spawner tells JupyterHub when a server cannot be had: a sentence for the person, never a traceback."""

from __future__ import annotations

from jupyterhub.spawner import SpawnException


class Refused(SpawnException):  # type: ignore[misc]  # JupyterHub has no types
    """A start that is against the rules, or a session that ended before it was ready.

    Args:
        message: what the person reads, each in their language (:func:`hpchub.text.in_words`), and the log in English.
        reason: a short word for metrics.
    """

    def __init__(self, message: str, *, reason: str, status_code: int = 400) -> None:
        super().__init__(message, reason=reason, status_code=status_code)
        # The pages after a failure show this attribute and nothing else of an exception.
        self.jupyterhub_message = self.sentence = message

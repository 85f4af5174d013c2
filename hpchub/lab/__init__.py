"""What a notebook server gets of ours, whatever its environment: the session's end and its event, in JupyterLab.

It travels in the job's script and is laid into a folder of the job's own (:mod:`hpchub.jobs.bootstrap`), so that
nothing has to be put on a cluster, every session has the files of the hub that started it, and no environment has to
be built anew.  The folder is one of Jupyter's configuration: a server that reads no such folder, or has no JupyterLab,
starts as it is.

======================================  ==============================================================
``jupyter_server_config.py``            lets the server, and no kernel of its, find the two below
``jupyter_server_config.d``             switches the server's extension on
``python/hpchub_session``               the server's extension
``labextensions/hpchub-session``        the page's: one script, in the form of a prebuilt extension
======================================  ==============================================================
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from functools import cache
from pathlib import Path

from hpchub.lab.words import in_languages

FOLDER = Path(__file__).parent
NAME = "hpchub-session"
CONFIG = """\
import os
import sys

folder = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(folder, "python"))
c.LabServerApp.extra_labextensions_path.append(os.path.join(folder, "labextensions"))
"""


def files() -> dict[str, str]:
    """Give the texts of all files, by their paths in the folder."""
    script = _with_words((FOLDER / "session.js").read_text(encoding="utf-8"))
    # Browsers keep what has a name of its own: another version is another file.
    load = f"static/session.{hashlib.sha256(script.encode()).hexdigest()[:16]}.js"
    package = {"name": NAME, "version": "1", "jupyterlab": {"_build": {"load": load, "extension": "./extension"}}}
    modules = sorted((FOLDER / "hpchub_session").glob("*.py"))
    return {
        "jupyter_server_config.py": CONFIG,
        "jupyter_server_config.d/hpchub_session.json": json.dumps(
            {"ServerApp": {"jpserver_extensions": {"hpchub_session": True}}}
        ),
        **{f"python/hpchub_session/{path.name}": path.read_text(encoding="utf-8") for path in modules},
        f"labextensions/{NAME}/package.json": json.dumps(package),
        f"labextensions/{NAME}/{load}": script,
    }


def _with_words(script: str) -> str:
    before, found, after = script.partition("const WORDS = {};")
    if not found:
        raise ValueError("session.js must have the line `const WORDS = {};`, which gets its texts")
    return f"{before}const WORDS = {json.dumps(in_languages(), ensure_ascii=False)};{after}"


@cache
def packed() -> str:
    """Give all files as one word: JSON, compressed, in base64."""
    return base64.b64encode(zlib.compress(json.dumps(files()).encode(), 9)).decode()

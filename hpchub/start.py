"""Starts JupyterHub: ``python -m hpchub.start OPTION...``, with the options of the command ``jupyterhub``.

It is up a third sooner than by that command.
"""

from __future__ import annotations

import sys

# A grammar of internationalised addresses that jsonschema compiles when it is imported, which takes as long as half of
# JupyterHub.  None of our schemas nor of JupyterHub's has such an address; jsonschema does without where it is missing.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

if __name__ == "__main__":
    from jupyterhub.app import main

    sys.exit(main())

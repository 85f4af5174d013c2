"""How much is tested: what fits into every change, or all of it, as `./run soak` asks for by a variable."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("HPCHUB_THOROUGH") == "1"

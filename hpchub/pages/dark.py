"""Dark pages for readers without scripts: what theme.js does for the others, a style sheet does for them."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_DARK = re.compile(r"""\[data-bs-theme=["']?dark["']?\]""")
# theme.js sets the attribute before anything is drawn: where it runs, no rule of ours applies.  With :where() the rules
# weigh as much as those that they come from.
_BY_SYSTEM = ":root:where(:not([data-bs-theme]))"


def by_system(css: str) -> str:
    """Give the rules that a style sheet has for Bootstrap's dark theme once more, for a page that has no theme and a
    reader whose system is dark.
    """
    rules = (
        f"{_DARK.sub(_BY_SYSTEM, selectors.strip())}{{{content.strip()}}}"
        for selectors, content in _RULE.findall(_COMMENT.sub("", css))
        if _DARK.search(selectors)
    )
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"

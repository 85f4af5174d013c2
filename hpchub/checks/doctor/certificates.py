"""The certificates of `hub.internal_tls`: that they are there, closed to others, and do not end soon."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from hpchub import internal_tls
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.finding import Finding, fault, fine, warning

SOON_DAYS = 60
REMEDY = (
    "Restart the hub, its proxy and the console: a start makes certificates again in their last year. Authorities end "
    "after ten years; with a new one, sessions that run are cut off."
)


def inside(deployment: Deployment) -> Iterator[Finding]:
    """What hub, proxy and notebooks know each other by; nothing where they speak plainly."""
    site = deployment.site
    if not site.hub.internal_tls:
        return
    folder = site.hub.internal_tls_folder
    try:
        days = internal_tls.days_left(site)
    except (OSError, ValueError) as error:
        says = f"The certificates in {folder} cannot be used: {error}."
        yield fault("internal TLS", says, "Restart the hub: it makes what is missing, and says what it cannot make.")
        return
    for path in sorted(folder.glob("*/*.key")):
        if path.stat().st_mode & 0o077:
            says = f"{path} can be read or written by others: mode {stat.S_IMODE(path.stat().st_mode):o}."
            yield fault("internal TLS", says, f"`chmod 600 {path}`; if others were on this machine, make all anew.")
    name = min(days, key=lambda each: days[each])
    says = f"{len(days)} certificates in {folder}; the first to end is {name}, in {days[name]:.0f} days."
    yield warning("internal TLS", says, REMEDY) if days[name] < SOON_DAYS else fine("internal TLS", says)

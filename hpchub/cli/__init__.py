"""The command ``hpchub``: what an admin does with the catalogue and a running hub.

Each group of verbs is a module here; what a verb does stands elsewhere in the library, and these only read options
and show results.  Exit status: 0 for success, 1 where something is wrong with what was looked at, 2 if the command
itself was wrong.
"""

from __future__ import annotations

import typer

from hpchub.cli import checks, console, doctor, environments, event_check, events, profiles, sessions

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
profiles.app.command()(checks.check)
profiles.app.command()(checks.smoke)
events.app.command()(event_check.check)
app.add_typer(profiles.app, name="profiles")
app.add_typer(environments.app, name="environments")
app.add_typer(events.app, name="events")
app.add_typer(console.app, name="console")
app.command()(sessions.sessions)
app.command()(doctor.doctor)


@app.callback()
def main() -> None:
    """Run notebooks on HPC clusters: the tools of a site's admin."""

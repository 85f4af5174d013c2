"""The command ``hpchub``: what an admin does with the catalogue and a running hub.

Each group of verbs is a module here; what a verb does stands elsewhere in the library, and these only read options
and show results.  Exit status: 0 for success, 1 where something is wrong with what was looked at, 2 if the command
itself was wrong.
"""

from __future__ import annotations

import typer

from hpchub.cli import (
    checks,
    console,
    doctor,
    environments,
    event_check,
    event_help,
    event_plan,
    event_seats,
    events,
    profiles,
    proxy,
    sessions,
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
profiles.app.command()(checks.check)
profiles.app.command()(checks.smoke)
events.app.command()(event_check.check)
events.app.command()(event_plan.change)
events.app.command()(event_plan.rehearse)
events.app.command()(event_help.message)
events.app.command()(event_help.hands)
events.app.command()(event_seats.cards)
events.app.command("new-card")(event_seats.new_card)
events.app.command()(event_seats.seats)
events.app.command("hand-over")(event_seats.hand_over)
app.add_typer(profiles.app, name="profiles")
app.add_typer(environments.app, name="environments")
app.add_typer(events.app, name="events")
app.add_typer(console.app, name="console")
app.add_typer(proxy.app, name="proxy")
app.command()(sessions.sessions)
app.command()(doctor.doctor)


@app.callback()
def main() -> None:
    """Run notebooks on HPC clusters: the tools of a site's admin."""

"""Whether Slurm's limits let all sessions of a planned event run at a time, and for as long as they shall.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hpchub.catalogue.limits import SCOPES, Layer, amount_in_words, first_amounts, first_number, layers_of, wanted
from hpchub.catalogue.site import Site
from hpchub.console.capacity import commands
from hpchub.console.capacity.people import association_limits
from hpchub.console.capacity.places import Place, alike
from hpchub.console.capacity.planned import About, Finding, Planned, fine, missing, sessions, warning
from hpchub.pages.moments import duration
from hpchub.slurm.model import NO_LIMITS, ClusterView, Limits, Partition
from hpchub.text import Counted, Joined, Sentence


class _Payer(NamedTuple):
    """People whose associations have the same limits."""

    limits: Limits
    users: tuple[str, ...]


def limit_findings(planned: Planned, site: Site, view: ClusterView, places: list[Place]) -> Iterator[Finding]:
    """Judge the limits on resources, on numbers of jobs and on time: each one that is too low, once."""
    if planned.sessions_a_person > site.session_limit:
        says = Sentence(
            "A person may have at most {most} here at a time; the event needs {n} for each.",
            most=sessions(site.session_limit),
            n=planned.sessions_a_person,
        )
        yield missing(About.LIMITS, says)
    for place in alike(places):
        payers = [_Payer(*each) for each in association_limits(planned, view, place.run.partition).items()]
        payers = payers or [_Payer(NO_LIMITS, ())]
        found = list(_distinct(each for payer in payers for each in _of_place(planned, view, place, payer)))
        yield from found
        if not any(finding.about is About.LIMITS for finding in found):
            says = Sentence(
                "The limits of QOS {qos} in partition {partition} let {sessions} run at a time.",
                qos=place.qos,
                partition=place.run.partition,
                sessions=sessions(planned.sessions),
            )
            yield fine(About.LIMITS, says)
        if not any(finding.about is About.TIME for finding in found):
            says = Sentence("A session may run for {time}.", time=duration(planned.session_minutes))
            yield fine(About.TIME, says)


def _distinct(findings: Iterable[Finding]) -> Iterator[Finding]:
    return iter(dict.fromkeys(findings))


def _of_place(planned: Planned, view: ClusterView, place: Place, payer: _Payer) -> Iterator[Finding]:
    partition = place.partition
    if place.qos in partition.deny_qos or (partition.allow_qos is not None and place.qos not in partition.allow_qos):
        reason = Sentence("is not allowed in partition {partition}", partition=partition.name)
        says = Sentence("QOS {qos} {reason}.", qos=place.qos, reason=reason)
        yield missing(About.LIMITS, says, _allowing(planned, partition, place.qos))
    layers = layers_of(view, partition, place.qos, payer.limits)
    yield from _amounts(planned, place, payer, layers)
    yield from _numbers(planned, place, payer, layers)
    yield from _time(planned, view, place, payer, layers)


def _allowing(planned: Planned, partition: Partition, qos: str) -> commands.Argv:
    if partition.allow_qos is not None and qos not in partition.allow_qos:
        names = ",".join(sorted({*partition.allow_qos, qos}))
        return commands.update_partition(planned.cluster, partition.name, "AllowQos", names)
    return commands.update_partition(
        planned.cluster, partition.name, "DenyQos", ",".join(sorted(partition.deny_qos - {qos}))
    )


def _amounts(planned: Planned, place: Place, payer: _Payer, layers: tuple[Layer, ...]) -> Iterator[Finding]:
    """Judge the limits on resources: of a job, of a user's jobs, of an allocation's and of all jobs."""
    asked = wanted(place.size, place.run.gpu_type)
    at_a_time = {"job": 1, "user": planned.sessions_a_person, "account": planned.sessions, "group": planned.sessions}
    for scope, about in SCOPES.items():
        for layer, name, most in first_amounts(layers, scope):
            needed = asked.get(name, 0) * at_a_time[scope]
            if needed > most:
                limit = Sentence("allows at most {amount} {about}", amount=amount_in_words(name, most), about=about)
                says = _too_low(place, layer, limit, at_a_time[scope], amount_in_words(name, needed))
                yield missing(
                    About.LIMITS, says, _raise(planned, place, payer, layer, scope, commands.tres(name, needed))
                )
    for layer, name, least in first_amounts(layers, "least"):
        if asked.get(name, 0) < least:
            limit = Sentence("needs at least {amount} in a job", amount=amount_in_words(name, least))
            says = _too_low(place, layer, limit, 1, amount_in_words(name, asked.get(name, 0)))
            value = commands.tres(name, asked.get(name, 0) or -1)
            yield missing(About.LIMITS, says, _raise(planned, place, payer, layer, "least", value))


def _too_low(place: Place, layer: Layer, limit: Sentence, number: int, amount: str) -> Sentence:
    return Sentence(
        "QOS {qos} {limit}; needed for {sessions} of size {size}: {amount}.",
        qos=place.qos,
        limit=layer.sets(limit),
        sessions=sessions(number),
        size=place.size_name,
        amount=amount,
    )


def _numbers(planned: Planned, place: Place, payer: _Payer, layers: tuple[Layer, ...]) -> Iterator[Finding]:
    """Judge the limits on how many jobs run, and how many are there."""
    for number, jobs in _needed(planned).items():
        layer, most = first_number(layers, number)
        if most is not None and jobs > most:
            says = Sentence(
                "QOS {qos} {limit}; the event needs {n}.",
                qos=place.qos,
                limit=layer.sets(_of_jobs(number, most)),
                n=jobs,
            )
            yield missing(About.LIMITS, says, _raise(planned, place, payer, layer, number, jobs))


def _needed(planned: Planned) -> dict[str, int]:
    each, all_of_them = planned.sessions_a_person, planned.sessions
    return {
        "running": each,
        "submitted": each,
        "account_running": all_of_them,
        "account_submitted": all_of_them,
        "group_running": all_of_them,
        "group_submitted": all_of_them,
    }


def _of_jobs(number: str, most: int) -> Sentence:
    jobs = Counted("{n} job", "{n} jobs", most)
    match number:
        case "running":
            return Sentence("lets at most {jobs} of a user run at a time", jobs=jobs)
        case "submitted":
            return Sentence("lets a user have at most {jobs} at a time", jobs=jobs)
        case "account_running":
            return Sentence("lets at most {jobs} of an allocation run at a time", jobs=jobs)
        case "account_submitted":
            return Sentence("lets an allocation have at most {jobs} at a time", jobs=jobs)
        case "group_running":
            return Sentence("lets at most {jobs} run at a time in all", jobs=jobs)
        case _:
            return Sentence("lets there be at most {jobs} at a time in all", jobs=jobs)


def _raise(planned: Planned, place: Place, payer: _Payer, layer: Layer, limit: str, value: str | int) -> commands.Argv:
    """Give the command that raises a limit where it lies."""
    match layer.of:
        case "qos":
            return commands.set_qos(place.qos, limit, value)
        case "partition":
            return commands.set_qos(place.partition.qos or place.qos, limit, value)
        case "association":
            return commands.set_association(planned.cluster, planned.allocation, payer.users, limit, value)


def _time(
    planned: Planned, view: ClusterView, place: Place, payer: _Payer, layers: tuple[Layer, ...]
) -> Iterator[Finding]:
    """Judge how long a session may run: by the size, by the partition, and by QOS and associations."""
    minutes = planned.session_minutes
    layer, by_layer = first_number(layers, "max_minutes")
    qos = view.qos.get(place.qos)
    over_partition = qos is not None and "PartitionTimeLimit" in qos.flags and by_layer is not None
    # Who has asked for a time needs it; else people can start again.
    judge = warning if planned.minutes is None else missing
    bounds: list[tuple[int | None, Sentence, commands.Argv]] = [
        (
            place.size.max_minutes,
            Sentence("Size {size} of {profile}", size=place.size_name, profile=place.profile.slug),
            (),
        ),
        (
            by_layer,
            layer.sets(Sentence("QOS {qos}", qos=place.qos)),
            _raise(planned, place, payer, layer, "max_minutes", minutes),
        ),
    ]
    if not over_partition:
        most = place.partition.max_minutes
        longer = commands.update_partition(planned.cluster, place.run.partition, "MaxTime", str(minutes))
        bounds.append((most, Sentence("Partition {partition}", partition=place.run.partition), longer))
    for bound, what, command in bounds:
        if bound is not None and bound < minutes:
            says = Sentence(
                "{what} ends a session after {most}; the event needs {time}.",
                what=what,
                most=duration(bound),
                time=duration(minutes),
            )
            if planned.minutes is None:
                says = Joined([says, Sentence("People start again then.")])
            yield judge(About.TIME, says, command)

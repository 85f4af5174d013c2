"""The truth table of access and offers: a small world, a choice in it, and the longest time or the exact refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hpchub.catalogue.budget import Budget
from hpchub.catalogue.event import Event
from hpchub.catalogue.limits import Held
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person
from hpchub.slurm.model import Association, ClusterView, Limits, Qos, Tres
from tests.unit.data.world import (
    BOTH_QOS,
    LEONARDO,
    QOS,
    VIEWS,
    boost,
    demo_catalogue,
    leonardo,
    with_profile,
)

AGRI = "agrifood/remote-sensing"
PYTORCH = "general/pytorch"
DATA = "general/data-preparation"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
ASKED: Mapping[str, object] = {
    "profile": AGRI,
    "cluster": "leonardo",
    "allocation": "aifac_agri01",
    "size": "small",
    "minutes": 10,
    "qos": "normal",
}
GPUS = "gres/gpu"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    expected: int | str
    """The longest time in minutes, or the whole refusal."""
    views: Mapping[str, ClusterView] = field(default_factory=lambda: VIEWS)
    catalogue: Catalogue = field(default_factory=demo_catalogue)
    person: Person = field(default_factory=lambda: ada())
    changes: Mapping[str, object] = field(default_factory=dict)

    @property
    def asked(self) -> dict[str, object]:
        """The choice; None leaves a field out."""
        return {key: value for key, value in {**ASKED, **self.changes}.items() if value is not None}


def ada(**known: object) -> Person:
    return Person("ada", asks_epoch=NOON, **known)  # type: ignore[arg-type]  # the rows name fields of the class


def access(**rules: object) -> Catalogue:
    """The demo's catalogue, in which the profile of the table is for whom these rules say; days begin in Rome."""
    catalogue = with_profile(AGRI, access=rules)
    return replace(catalogue, site=catalogue.site.model_copy(update={"timezone": "Europe/Rome"}))


def event(slug: str = "gpu-school", opens: float = NOON - 60, closes: float = NOON + 3600) -> Event:
    return Event(
        slug=slug,
        title="GPU school",
        opens_epoch=int(opens),
        closes_epoch=int(closes),
        members=("ada",),
        cluster="leonardo",
        allocation="aifac_agri01",
        profiles=(AGRI,),
    )


def limited(
    partition_qos: Limits | None = None, flags: str = "", maximum: int | None = 1440, **own: object
) -> dict[str, ClusterView]:
    """Views in which QOS normal has these limits, and the partition a QOS of its own if one is given."""
    normal = Qos("normal", Limits(**own), frozenset(flags.split()))  # type: ignore[arg-type]
    known = {**QOS, "normal": normal}
    if partition_qos is not None:
        known["of-the-partition"] = Qos("of-the-partition", partition_qos)
    views = boost(qos="of-the-partition" if partition_qos is not None else None, max_minutes=maximum)
    return {**views, "leonardo": replace(views["leonardo"], qos=known)}


def associated(partition: str | None = None, qos: Limits | None = None, **own: object) -> dict[str, ClusterView]:
    """Views in which ada's association has these limits, and QOS normal those."""
    association = Association("ada", "aifac_agri01", BOTH_QOS, "normal", partition, Limits(**own))  # type: ignore[arg-type]
    return leonardo(associations={"ada": (association,)}, qos={"normal": Qos("normal", qos or Limits())})


def held(number: int, qos: str = "normal", cluster: str = "leonardo", account: str = "aifac_agri01") -> Person:
    """Ada with so many sessions."""
    names = ("thesis", "maps", "course", "night")[:number]
    return ada(held=tuple(Held(name, cluster, "boost_usr_prod", account, qos) for name in names))


def budget(total: float, used: float, **more: object) -> Person:
    """Ada, whose account has so much on leonardo."""
    known = Budget("aifac_agri01", total, used, NOON, **more)  # type: ignore[arg-type]
    return ada(budgets={"leonardo": {"aifac_agri01": known}})


def at_most(amount: float, name: str = GPUS) -> Tres:
    return ((name, amount),)


def on(**changes: object) -> Mapping[str, object]:
    return changes


LARGE = on(size="large")
IT4LIA = on(cluster="it4lia")
DEBUG = on(qos="boost_qos_dbg")
GROUPS = access(groups=["course", "staff"])
EVENTS = access(events=["gpu-*"])
SILENT = replace(LEONARDO, silent_since_epoch=2.0)
DENIED = frozenset({"AIFAC_Agri01"})
NORMAL = frozenset({"normal"})

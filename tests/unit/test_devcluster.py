"""The development cluster's pure parts: what it reads, what it writes, and what it refuses to touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import accounting, config
from devcluster.__main__ import main
from devcluster.daemons import MARK, Process, belongs_to
from devcluster.errors import DevclusterError
from devcluster.isolate import etc_is_overlay
from devcluster.jobs import leftovers
from devcluster.layout import (
    Layout,
    Marker,
    layout_for,
    require_no_mounts,
    require_ours,
    require_ours_or_new,
    write_file,
)
from devcluster.nodes import answering_out_of_use, unusable_in
from devcluster.people import PeoplePlan, homes_of, plan_people
from devcluster.spec import ClustersSpec, PeopleSpec, load_clusters, load_people, require_known_allocations

REPOSITORY = Path(__file__).parents[2]
LAYOUT = Layout(Path("/var/lib/demo"))


@pytest.fixture(scope="module")
def clusters() -> ClustersSpec:
    return load_clusters(REPOSITORY / "demo" / "clusters.toml")


@pytest.fixture(scope="module")
def people() -> PeopleSpec:
    return load_people(REPOSITORY / "demo" / "people.toml")


# The demo's files


def test_demo_has_the_clusters_of_its_contract(clusters: ClustersSpec) -> None:
    partitions = {
        (cluster.name, partition.name): (partition.nodes.count, partition.nodes.cores, partition.nodes.gpus)
        for cluster in clusters.clusters
        for partition in cluster.partitions
    }
    assert partitions == {
        ("leonardo", "boost_usr_prod"): (10, 32, 4),
        ("leonardo", "lrd_all_serial"): (2, 32, 0),
        ("it4lia", "gb200_usr_prod"): (2, 144, 4),
    }


def test_demo_people_have_allocations_that_exist(clusters: ClustersSpec, people: PeopleSpec) -> None:
    require_known_allocations(clusters, people)
    allocations = {person.name: person.allocations for person in people.people}
    assert allocations["ada"] == ("aifac_agri01", "aifac_clima01")
    assert [name for name in allocations if name.startswith("seat")] == [f"seat{n:02d}" for n in range(1, 41)]


def test_admin_has_no_posix_account(people: PeopleSpec) -> None:
    assert [person.name for person in people.people if not person.posix] == ["admin"]


# What is rendered


def test_nodes_of_one_machine_differ_by_port(clusters: ClustersSpec) -> None:
    text = config.render_slurm_conf(clusters.clusters[0], clusters, LAYOUT)
    assert (
        "NodeName=lrdn[0001-0010] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[16810-16819]"
        " CPUs=32 Boards=1 SocketsPerBoard=1 CoresPerSocket=32 ThreadsPerCore=1"
        " RealMemory=494000 State=UNKNOWN Gres=gpu:a100:4\n"
    ) in text


def test_ports_are_counted_from_the_base_port(clusters: ClustersSpec) -> None:
    ports = config.assign_ports(clusters)
    assert (ports.slurmdbd, ports.slurmctld) == (16800, {"leonardo": 16801, "it4lia": 16802})
    assert (ports.slurmd["lrdn0001"], ports.slurmd["gb0002"]) == (16810, 16823)


@pytest.mark.parametrize(
    "line",
    [
        "AccountingStoreFlags=job_comment",
        "AccountingStorageEnforce=associations,limits,qos,safe",
        "AuthInfo=socket=/var/lib/demo/run/munge/munge.sock",
        "SlurmctldHost=localhost(127.0.0.1)",
        "ReturnToService=2",
    ],
)
def test_slurm_conf_has(line: str, clusters: ClustersSpec) -> None:
    for cluster in clusters.clusters:
        assert line in config.render_slurm_conf(cluster, clusters, LAYOUT).splitlines()


@pytest.mark.parametrize("setting", ["PrivateData", "job_env,", "$"])
def test_slurm_conf_has_no(setting: str, clusters: ClustersSpec) -> None:
    settings = [
        line
        for cluster in clusters.clusters
        for line in config.render_slurm_conf(cluster, clusters, LAYOUT).splitlines()
        if not line.startswith("#")
    ]
    assert not [line for line in settings if setting in line]


@pytest.mark.parametrize(
    ("partition", "weights"),
    [
        ("boost_usr_prod", "CPU=1,Mem=0.066332G,GRES/gpu=8"),
        ("lrd_all_serial", "CPU=0,Mem=0G"),
        ("gb200_usr_prod", "CPU=0.222222,Mem=0.0364089G,GRES/gpu=8"),
    ],
)
def test_a_gpu_costs_8_core_hours_and_the_serial_partition_nothing(
    partition: str, weights: str, clusters: ClustersSpec
) -> None:
    found = {each.name: each for cluster in clusters.clusters for each in cluster.partitions}[partition]
    assert config.render_billing_weights(found) == weights


def test_every_gpu_node_has_the_same_device_files(clusters: ClustersSpec) -> None:
    assert config.render_gres_conf(clusters.clusters[1], LAYOUT).splitlines()[-1] == (
        "NodeName=gb[0001-0002] Name=gpu Type=gb200 File=/var/lib/demo/dev/gpu[0-3]"
    )


@pytest.mark.parametrize(("version", "plugin"), [((22, 5), "cgroup/v1"), ((23, 2), "disabled"), ((26, 5), "disabled")])
def test_no_slurm_version_uses_cgroups(version: tuple[int, int], plugin: str) -> None:
    assert config.render_cgroup_conf(version) == f"CgroupPlugin={plugin}\n"


def test_slurmdbd_conf_has_no_password(clusters: ClustersSpec) -> None:
    assert "StoragePass" not in config.render_slurmdbd_conf(clusters, LAYOUT)


def test_env_names_no_secret(clusters: ClustersSpec) -> None:
    lines = config.render_env(clusters, LAYOUT).splitlines()
    assert lines[1:] == ["export SLURM_CONF=/var/lib/demo/etc/leonardo/slurm.conf"]


# Accounting


def test_accounting_makes_qos_before_the_clusters_that_use_them(clusters: ClustersSpec, people: PeopleSpec) -> None:
    commands = accounting.render_accounting(clusters, people).splitlines()
    assert commands[:4] == [
        "add qos normal priority=0 maxwall=-1 maxtresperjob=node=-1 maxtresperuser=node=-1",
        "add qos boost_qos_dbg priority=100 maxwall=30 maxtresperjob=node=2 maxtresperuser=node=2",
        "add qos lrd_all_serial flags=DenyOnLimit maxtresperjob=cpu=4,mem=30800",
        "add cluster leonardo,it4lia qos=normal,boost_qos_dbg defaultqos=normal",
    ]


def test_the_nearly_spent_account_has_88_core_hours_left(clusters: ClustersSpec, people: PeopleSpec) -> None:
    assert (
        'add account aifac_clima01 cluster=leonardo,it4lia description="Regional weather forecasts"'
        ' organization="Climate" grptresmins=billing=5280\n'
    ) in accounting.render_accounting(clusters, people)


def test_a_person_with_two_allocations_is_added_to_both(clusters: ClustersSpec, people: PeopleSpec) -> None:
    assert "add user ada cluster=leonardo,it4lia account=aifac_agri01,aifac_clima01\n" in accounting.render_accounting(
        clusters, people
    )


def test_changed_budgets_are_set_on_what_exists(clusters: ClustersSpec) -> None:
    assert (
        "modify account tra26_hack where cluster=leonardo,it4lia set grptresmins=billing=4800000\n"
    ) in accounting.render_changes(clusters)


@pytest.mark.parametrize(
    ("output", "problems"),
    [
        (" Nothing new added.\n This cluster leonardo already exists.  Not adding.\n", ""),
        ("sacctmgr: error: Unable to connect to database\n", "sacctmgr: error: Unable to connect to database"),
        (" Unknown option: grptresmin=billing=1\n", "Unknown option: grptresmin=billing=1"),
    ],
)
def test_what_exists_already_is_no_problem(output: str, problems: str) -> None:
    assert accounting.problems_in(output) == problems


# Errors in the two files

CLUSTERS = """
[[cluster]]
name = "alpha"
[[cluster.nodes]]
name = "node"
count = 2
cores = 4
memory_mb = 8000
[[cluster.partition]]
name = "main"
nodes = "node"
default = true
default_minutes = 30
max_minutes = 60
node_core_hours = 4
[[qos]]
name = "normal"
[[account]]
name = "acct"
description = "An account"
organization = "Org"
core_hours = 10
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("count = 2", 'count = "two"', "nodes node: 'count' must be a whole number from 1 to 5000, not 'two'"),
        ("count = 2", "count = true", "'count' must be a whole number from 1 to 5000, not True"),
        ("count = 2", "count = 0", "'count' must be from 1 to 5000, not 0"),
        ("count = 2", "", "nodes node: 'count' is missing"),
        ("cores = 4", "cores = 4\nsockets = 1", "nodes node: nothing is known about 'sockets'"),
        ('nodes = "node"', 'nodes = "nodes"', "partition main: there are no nodes 'nodes'; there are node"),
        ("default = true", "default = false", "exactly one partition must have default = true"),
        ('name = "acct"', 'name = "a b"', "'name' must be a name of small letters, digits, _ and -, not 'a b'"),
        ("An account", "An: account", "'description' may not contain quotes, colons"),
        ("[[qos]]", '[[qos]]\nname = "normal"\n[[qos]]', "qos normal is there twice"),
        ('[[qos]]\nname = "normal"', "", "there is no qos; at least one is needed"),
        ("[[qos]]", "[[qos", "is not TOML"),
    ],
)
def test_a_wrong_clusters_file_is_answered_with_a_sentence(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    assert old in CLUSTERS
    path = tmp_path / "clusters.toml"
    path.write_text(CLUSTERS.replace(old, new))
    with pytest.raises(DevclusterError) as raised:
        load_clusters(path)
    assert sentence in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        ('allocations = ["nope"]', "eve has the allocation nope, which is no account; there are acct"),
        ('allocations = ["acct"]\nhub_only = true', "eve is hub_only"),
    ],
)
def test_a_person_needs_accounts_that_exist_and_an_own_one_to_use_them(
    person: str, sentence: str, tmp_path: Path
) -> None:
    clusters_file, people_file = tmp_path / "clusters.toml", tmp_path / "people.toml"
    clusters_file.write_text(CLUSTERS)
    people_file.write_text(
        f'[group]\nname = "g"\n[hub]\nuser = "h"\n[[people]]\nname = "eve"\nfull_name = "Eve"\n{person}\n'
    )
    with pytest.raises(DevclusterError, match=sentence):
        require_known_allocations(load_clusters(clusters_file), load_people(people_file))


# Which users may be made

HOMES = {"hub": Path("/var/lib/demo/hub"), "ada": Path("/var/lib/demo/home/ada")}
ELSEWHERE = {"ada": "/home/ada"}
HERE = {name: str(home) for name, home in HOMES.items()}
OURS = Marker(users=("ada", "hub"), groups=("people",))


@pytest.mark.parametrize(
    ("existing", "groups", "ours", "isolated", "plan"),
    [
        pytest.param({}, (), Marker(), False, PeoplePlan((), ("hub", "ada"), True), id="nobody is there"),
        pytest.param(HERE, ("people",), OURS, False, PeoplePlan((), (), False), id="all are there already"),
        pytest.param(
            {"hub": HERE["hub"]}, ("people",), OURS, False, PeoplePlan((), ("ada",), False), id="killed halfway"
        ),
        pytest.param({}, ("people",), OURS, False, PeoplePlan((), ("hub", "ada"), False), id="killed after the group"),
        pytest.param(
            ELSEWHERE,
            ("people",),
            Marker(),
            True,
            PeoplePlan(("ada",), ("hub", "ada"), False),
            id="another demo's, inside",
        ),
    ],
)
def test_users_are_made_where_they_are_missing(
    existing: dict[str, str], groups: tuple[str, ...], ours: Marker, isolated: bool, plan: PeoplePlan
) -> None:
    assert plan_people(HOMES, "people", existing, groups, ours, isolated) == plan


def test_a_user_of_the_machine_is_never_taken_over() -> None:
    with pytest.raises(DevclusterError, match="user ada exists on this machine and was not made by this demo"):
        plan_people(HOMES, "people", ELSEWHERE, (), Marker(), isolated=False)


def test_not_even_if_the_marker_claims_it() -> None:
    with pytest.raises(DevclusterError, match="user ada exists"):
        plan_people(HOMES, "people", ELSEWHERE, (), OURS, isolated=False)


def test_a_group_of_the_machine_is_never_taken_over() -> None:
    with pytest.raises(DevclusterError, match="group people exists on this machine"):
        plan_people(HOMES, "people", {}, ("people",), Marker(), isolated=False)


def test_homes_lie_below_the_folder(people: PeopleSpec) -> None:
    homes = homes_of(LAYOUT, people)
    assert homes["hpchub-demo-hub"] == Path("/var/lib/demo/hub")
    assert homes["seat40"] == Path("/var/lib/demo/home/seat40")
    assert "admin" not in homes


@pytest.mark.parametrize(
    ("mounts", "overlay"),
    [
        ("overlay /etc overlay rw,lowerdir=/etc 0 0\n", True),
        ("overlay / overlay rw 0 0\n/dev/vda /etc/hosts ext4 rw 0 0\n", False),
        ("tmpfs /etc tmpfs rw 0 0\n", False),
    ],
)
def test_isolation_is_known_by_the_overlay_on_etc(mounts: str, overlay: bool) -> None:
    assert etc_is_overlay(mounts) is overlay


# Which folder may be used, and removed


@pytest.mark.parametrize(
    "path",
    [
        "relative/dir",
        "/",
        "/home",
        "/etc",
        "/var/lib",
        "/srv/../etc/x",
        "/var/lib/my demo",
        "/var/lib/$HOME",
        "/var/lib/" + "x" * 60,
    ],
)
def test_a_folder_of_the_system_or_an_odd_path_is_refused(path: str) -> None:
    with pytest.raises(DevclusterError):
        layout_for(path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(DevclusterError, match="symbolic link"):
        layout_for(str(tmp_path / "link"))


def test_clean_refuses_a_folder_without_marker(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(DevclusterError, match="was not made by devcluster"):
        require_ours(Layout(tmp_path))


def test_up_refuses_a_folder_with_content_of_others(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(DevclusterError, match="was not made by devcluster"):
        require_ours_or_new(Layout(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"users": 3, "groups": []}', '{"users": []}'])
def test_a_broken_marker_is_no_marker(content: str, tmp_path: Path) -> None:
    Layout(tmp_path).marker.write_text(content)
    with pytest.raises(DevclusterError, match="was not made by devcluster"):
        require_ours(Layout(tmp_path))


def test_clean_refuses_while_something_is_mounted_below() -> None:
    with pytest.raises(DevclusterError, match="mounted at /var/lib/demo/home"):
        require_no_mounts(LAYOUT, "server:/export /var/lib/demo/home nfs rw 0 0\n")


def test_mounts_elsewhere_do_not_matter() -> None:
    require_no_mounts(LAYOUT, "/dev/vda / ext4 rw 0 0\ntmpfs /var/lib/demolition tmpfs rw 0 0\n")


def test_the_command_line_answers_a_wrong_folder_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "/home"]) == 1
    assert capsys.readouterr().err.startswith("devcluster: /home is a folder of the system")


def test_isolate_without_a_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["isolate", "--"]) == 1
    assert "isolate needs a command" in capsys.readouterr().err


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    owner = (tmp_path).owner()
    assert write_file(tmp_path / "file", "text", mode=0o640, owner=owner)
    assert not write_file(tmp_path / "file", "text", mode=0o640, owner=owner)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


# Which processes are ours


def process(pid: int, parent: int = 1, name: str = "sh", environment: tuple[str, ...] = ()) -> Process:
    return Process(pid, parent, uid=1000, name=name, command=name, environment=frozenset(environment))


def test_a_pid_counts_only_with_our_mark() -> None:
    assert belongs_to(process(7, environment=(f"{MARK}=/var/lib/demo",)), LAYOUT)
    assert not belongs_to(process(7, environment=(f"{MARK}=/var/lib/demo2",)), LAYOUT)
    assert not belongs_to(process(7), LAYOUT)


def test_leftovers_are_step_daemons_their_descendants_and_strays_of_jobs() -> None:
    job = ("SLURM_JOB_ID=1", "SLURM_CONF=/var/lib/demo/etc/leonardo/slurm.conf")
    processes = [
        process(10, name="slurmstepd"),
        process(11, parent=10),
        process(12, parent=11),
        process(20, environment=job),
        process(30, environment=("SLURM_CONF=/var/lib/demo/etc/leonardo/slurm.conf",)),
        process(40, environment=("SLURM_JOB_ID=1", "SLURM_CONF=/etc/slurm/slurm.conf")),
        process(50, name="slurmstepd"),
    ]
    assert leftovers(processes, LAYOUT, stepds=frozenset({10})) == [10, 11, 12, 20]


# Reading sinfo


@pytest.mark.parametrize(
    ("state", "usable", "to_resume"),
    [
        ("idle", True, False),
        ("mixed", True, False),
        ("allocated", True, False),
        ("idle~", True, False),
        ("mixed-", True, False),
        ("idle*", False, False),
        ("unknown", False, False),
        ("down*", False, False),
        ("down", False, True),
        ("drained", False, True),
        ("draining", False, True),
    ],
)
def test_a_node_is_usable_idle_or_working_and_answering(state: str, usable: bool, to_resume: bool) -> None:
    line = f"lrdn0001 {state}\n"
    assert (not unusable_in(line)) is usable
    assert bool(answering_out_of_use(line)) is to_resume

"""The checks of profiles and of builds, and what a smoke test's program tells, without a cluster."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.site import Site
from hpchub.checks import smoke_program
from hpchub.checks.builds import check_build
from hpchub.checks.finding import Finding, Verdict
from hpchub.checks.identity import admin_token, become_the_hub
from hpchub.checks.jobs import MARK, CheckJob
from hpchub.checks.profiles import check_profiles
from hpchub.checks.targets import Payer, request_for, targets_of
from hpchub.errors import HpchubError
from hpchub.slurm.model import Association, ClusterView, Limits
from tests.unit.data.job_request import REQUEST
from tests.unit.data.world import IT4LIA, LEONARDO, VIEWS, associations, boost, demo_catalogue, with_profile

PROFILE = "general/pytorch"
BOOST = {"cluster": "leonardo", "partition": "boost_usr_prod", "gpu_type": "a100", "qos": ["normal"]}


def put_build(root: Path, name: str, target: str = "x86_64-demo") -> Path:
    """Make what a check sees of a build."""
    build = root / name / target / "abc"
    (build / "bin").mkdir(parents=True)
    for program in ("python", "jupyterhub-singleuser"):
        (build / "bin" / program).touch(mode=0o755)
    (build.parent / "current").symlink_to("abc")
    return build


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of builds that every user can enter, as far as it is up to this test."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == tmp_path.stat().st_uid:
            folder.chmod(folder.stat().st_mode | 0o005)
    for name in demo_catalogue().environments:
        put_build(tmp_path, name)
    return tmp_path


def built(catalogue: Catalogue, root: Path) -> Catalogue:
    return replace(catalogue, site=catalogue.site.model_copy(update={"environments_root": root}))


def found(catalogue: Catalogue, root: Path, views: Mapping[str, ClusterView] = VIEWS) -> list[Finding]:
    """What the check says of one profile of the demo."""
    catalogue = built(catalogue, root)
    return list(check_profiles(catalogue, views, [catalogue.profiles[PROFILE]]))


def test_the_shipped_profiles_are_clean_on_the_demos_clusters(root: Path) -> None:
    catalogue = built(demo_catalogue(), root)
    assert list(check_profiles(catalogue, VIEWS, catalogue.profiles.values())) == []


@pytest.mark.parametrize(
    ("views", "says"),
    [
        (boost(up=False), "Partition boost_usr_prod is down: nothing starts there."),
        (boost(allow_qos=frozenset({"other"})), "QOS normal is not allowed in partition boost_usr_prod"),
        (boost(allow_accounts=frozenset({"root"})), "Partition boost_usr_prod admits none of the allocations that may"),
        (boost(root_only=True), "is for administrators only"),
        (boost(max_minutes=60), "allows at most 60."),
        ({**VIEWS, "leonardo": replace(LEONARDO, nodes=())}, "Partition boost_usr_prod has no nodes."),
        ({**VIEWS, "leonardo": replace(LEONARDO, qos={})}, "QOS normal does not exist on leonardo; there are: none."),
        ({**VIEWS, "leonardo": ClusterView("leonardo")}, "Slurm on leonardo does not answer"),
    ],
)
def test_what_a_cluster_lacks_is_a_fault_with_a_remedy(root: Path, views: Mapping[str, ClusterView], says: str) -> None:
    faults = [each for each in found(demo_catalogue(), root, views) if each.place.startswith("leonardo")]
    (fault,) = [each for each in faults if says in each.says][:1]
    assert (fault.verdict, bool(fault.remedy)) == (Verdict.FAULT, True)


def test_an_allocation_that_none_of_the_qos_is_for_is_worth_a_warning(root: Path) -> None:
    known = associations()
    known["dario"] = (Association("dario", "aifac_manif01", frozenset({"other"})),)
    (warning,) = found(demo_catalogue(), root, {**VIEWS, "leonardo": replace(LEONARDO, associations=known)})
    assert (warning.verdict, warning.place) == (Verdict.WARNING, "leonardo/boost_usr_prod")
    assert "none of the QOS normal, boost_qos_dbg: aifac_manif01" in warning.says


def test_a_size_that_no_qos_allows_is_told_with_the_reason_of_each(root: Path) -> None:
    strict = {name: replace(qos, limits=Limits(job=(("gres/gpu", 1),))) for name, qos in LEONARDO.qos.items()}
    faults = found(demo_catalogue(), root, {**VIEWS, "leonardo": replace(LEONARDO, qos=strict)})
    assert [each.says.partition(":")[0] for each in faults] == [
        "No QOS allows size medium",
        "No QOS allows size large",
    ]


def test_an_environment_that_is_not_there_for_a_target_is_told(root: Path) -> None:
    catalogue = demo_catalogue()
    bare = catalogue.environments[catalogue.profiles[PROFILE].environment].model_copy(update={"targets": frozenset()})
    faults = found(replace(catalogue, environments={**catalogue.environments, bare.name: bare}), root)
    assert {each.place for each in faults} == {"leonardo/boost_usr_prod", "it4lia/gb200_usr_prod"}
    assert all("is not there for x86_64-demo" in each.says for each in faults)


class TestBuilds:
    """A build as everybody sees it."""

    @staticmethod
    def of(root: Path) -> Finding:
        environment = next(iter(demo_catalogue().environments.values()))
        return check_build(root, environment, "x86_64-demo", environment.name)

    @staticmethod
    def build(root: Path) -> Path:
        return root / next(iter(demo_catalogue().environments)) / "x86_64-demo"

    def test_one_that_everybody_can_use_is_fine(self, root: Path) -> None:
        assert self.of(root).verdict is Verdict.FINE

    def test_one_that_is_not_there_is_to_be_built(self, root: Path) -> None:
        (self.build(root) / "current").unlink()
        fault = self.of(root)
        assert "is not built for x86_64-demo: there is no " in fault.says
        assert fault.remedy.startswith("Run `hpchub environments build ")

    def test_one_without_the_notebook_server_lacks_jupyterhub(self, root: Path) -> None:
        (self.build(root) / "abc/bin/jupyterhub-singleuser").unlink()
        assert "has no jupyterhub-singleuser" in self.of(root).says

    @pytest.mark.parametrize("closed", ["abc", "abc/bin", "abc/bin/python", "."])
    def test_one_that_is_closed_somewhere_names_the_place(self, root: Path, closed: str) -> None:
        path = self.build(root) / closed
        path.chmod(0o700)
        fault = self.of(root)
        assert fault.verdict is Verdict.FAULT
        assert f"{path.name} is closed to others" in fault.says or f"{path} is closed to others" in fault.says


class TestTargets:
    """What a smoke test runs where."""

    def test_each_environment_runs_once_in_each_place(self) -> None:
        catalogue = demo_catalogue()
        targets = targets_of(catalogue, catalogue.profiles.values())
        names = [(each.environment, each.place) for each in targets]
        assert len(set(names)) == len(names)
        assert {profile.slug for each in targets for profile in each.profiles} == set(catalogue.profiles)

    def test_it_takes_the_smallest_size_that_has_a_gpu(self) -> None:
        catalogue = demo_catalogue()
        (target,) = targets_of(catalogue, [catalogue.profiles[PROFILE]], "leonardo")
        assert target.size == catalogue.profiles[PROFILE].sizes["small"]

    def test_whoever_pays_need_not_be_one_of_those_whom_the_profile_is_for(self, root: Path) -> None:
        catalogue = built(with_profile(PROFILE, access={"allocations": ["nobody_*"]}), root)
        (target,) = targets_of(catalogue, [catalogue.profiles[PROFILE]], "leonardo")
        request = request_for(target, catalogue, LEONARDO, Payer("ada", "AIFAC_agri01"), 15)
        assert (request.user, request.account, request.qos) == ("ada", "aifac_agri01", "normal")
        assert (request.gpus, request.minutes) == (1, 15)

    @pytest.mark.parametrize(
        ("payer", "view", "reason"),
        [
            (Payer("nina"), LEONARDO, "nina has no allocation on leonardo."),
            (
                Payer("ada", "other"),
                LEONARDO,
                "other is no allocation of ada on leonardo: aifac_agri01",
            ),
            (Payer("ada"), replace(LEONARDO, partitions={}), "Cluster leonardo has no partition boost_usr_prod."),
            (Payer("ada"), None, "Slurm on leonardo does not answer."),
            (
                Payer("ada"),
                replace(LEONARDO, qos={}),
                "No allocation of ada (aifac_agri01, aifac_clima01) can",
            ),
        ],
    )
    def test_who_cannot_pay_is_told_why(self, payer: Payer, view: ClusterView | None, reason: str) -> None:
        catalogue = demo_catalogue()
        (target,) = targets_of(catalogue, [catalogue.profiles[PROFILE]], "leonardo")
        with pytest.raises(HpchubError) as refusal:
            request_for(target, catalogue, view, payer, 15)
        assert str(refusal.value).startswith(reason)

    def test_clusters_that_are_not_asked_for_are_left_out(self) -> None:
        catalogue = demo_catalogue()
        targets = targets_of(catalogue, catalogue.profiles.values(), "it4lia")
        assert {each.run.cluster for each in targets} == {IT4LIA.cluster}


def test_a_jobs_lines_are_read_whatever_else_its_log_has() -> None:
    job = CheckJob(REQUEST, "")
    job.log = f'noise\n{MARK}{{"a": 1}}\n{MARK}[1, 2]\n{MARK}nothing\n{MARK}{{"b": 2}}\n{MARK}{{"c'
    assert job.told == {"a": 1, "b": 2}


class TestProgram:
    """What runs inside a smoke test's job."""

    def test_modules_that_import_are_timed(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert smoke_program.imports(["json", "email.message"]) == []
        told = json.loads(capfd.readouterr().out.removeprefix(MARK))
        assert 0 <= told["import_seconds"] < smoke_program.IMPORT_SECONDS

    def test_a_module_that_is_missing_fails_with_pythons_own_words(self) -> None:
        failed = smoke_program.imports(["json", "nosuchmodule", "email"])
        assert failed == ["import nosuchmodule: ModuleNotFoundError: No module named 'nosuchmodule'"]

    def test_a_module_that_kills_python_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(smoke_program, "IMPORTER", "import os, sys; print('json', flush=True); os._exit(9)")
        assert smoke_program.imports(["json", "email"]) == [
            "import json: Python ended with 9",
            "import email: Python ended with 9",
        ]

    def test_fewer_gpus_than_asked_for_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        assert smoke_program.gpus(2, "/dev/null{}") == ["GPU: CUDA_VISIBLE_DEVICES is 0, but 2 were asked for"]

    def test_a_gpu_without_its_device_file_is_told(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        monkeypatch.setenv("SLURM_JOB_GPUS", "2,3")
        (tmp_path / "gpu2").touch()
        assert smoke_program.gpus(2, f"{tmp_path}/gpu{{}}") == [
            f"GPU: {tmp_path}/gpu2 is no device that this job may use",
            f"GPU: {tmp_path}/gpu3: No such file or directory",
        ]

    def test_no_gpu_is_right_where_none_was_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        assert smoke_program.gpus(0, "/dev/nvidia{}") == []

    def test_a_folder_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        assert smoke_program.writable("home", str(tmp_path)) == []
        (failed,) = smoke_program.writable("home", str(tmp_path / "missing"))
        assert failed.endswith("missing cannot be written: No such file or directory")

    def test_a_step_that_breaks_is_a_result(self, capfd: pytest.CaptureFixture[str]) -> None:
        def broken() -> list[str]:
            raise RuntimeError("no kernel")

        smoke_program.step("kernel", broken)
        told = json.loads(capfd.readouterr().out.removeprefix(MARK))
        assert told["kernel"]["failed"] == ["kernel: RuntimeError: no kernel"]


class TestIdentity:
    """Who a check is, and with which token it asks the hub."""

    @staticmethod
    def site(state_folder: Path) -> Site:
        site = demo_catalogue().site
        return site.model_copy(update={"hub": site.hub.model_copy(update={"state_folder": state_folder})})

    def test_the_hubs_user_is_who_owns_the_state_folder(self, tmp_path: Path) -> None:
        assert become_the_hub(self.site(tmp_path)) == pwd.getpwuid(os.getuid()).pw_name

    def test_without_a_state_folder_there_is_no_hubs_user(self, tmp_path: Path) -> None:
        with pytest.raises(HpchubError, match="Was this hub ever started here"):
            become_the_hub(self.site(tmp_path / "missing"))

    def test_a_named_file_comes_before_the_variable_and_the_hubs_own_copy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site = self.site(tmp_path)
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets/admin-token").write_text("the hub's copy\n")
        (tmp_path / "named").write_text("of the file\n")
        monkeypatch.delenv("HPCHUB_TOKEN", raising=False)
        assert admin_token(site, None) == "the hub's copy"
        monkeypatch.setenv("HPCHUB_TOKEN", "of the variable")
        assert admin_token(site, None) == "of the variable"
        assert admin_token(site, tmp_path / "named") == "of the file"

    def test_without_a_token_it_is_said_how_to_give_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HPCHUB_TOKEN", raising=False)
        with pytest.raises(HpchubError, match="--token-file FILE, or the variable HPCHUB_TOKEN"):
            admin_token(self.site(tmp_path), None)

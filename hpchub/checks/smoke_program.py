"""Runs inside the job of `hpchub profiles smoke`, in the environment's own Python: does the software work on this node?

Standard library only and Python 3.9 or newer, because it runs in whatever the environment holds.  It reaches the job as
a part of its script, takes what to check from the variable ``HPCHUB_CHECK``, and writes one line of JSON a step.
"""

from __future__ import annotations

import json
import os
import platform
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

MARK = "hpchub-check: "
IMPORT_SECONDS = 600
KERNEL_SECONDS = 120
SCRATCH = ("SCRATCH", "CINECA_SCRATCH", "TMPDIR")

# One process for all, so that what they share is loaded once; each line is written before the next import begins.
IMPORTER = """
import importlib, sys, time
for name in sys.argv[1:]:
    print(name, flush=True)
    began = time.monotonic()
    try:
        importlib.import_module(name)
    except BaseException as error:
        print("-", type(error).__name__ + ": " + " ".join(str(error).split()), flush=True)
    else:
        print("+", round(time.monotonic() - began, 2), flush=True)
"""


def tell(**what: object) -> None:
    """Write one line for the check that waits."""
    print(MARK + json.dumps(what), flush=True)


def imports(names: list[str]) -> list[str]:
    """Import modules in a Python of their own; return what failed, a line each."""
    began = time.monotonic()
    said: dict[str, str] = {}
    failed = []
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", IMPORTER, *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=IMPORT_SECONDS,
            check=False,
        )
        output, status = done.stdout, f"ended with {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, status = error.stdout or b"", f"not over in {IMPORT_SECONDS} s"
    lines = output.decode(errors="replace").splitlines()
    wanted = set(names)
    name = ""
    for line in lines:
        if line in wanted:
            name = line
        elif line[:2] in ("+ ", "- ") and name:
            said[name] = line
    for name in names:
        if not said.get(name, "").startswith("+"):
            failed.append(f"import {name}: " + said.get(name, "- Python " + status)[2:])
    tell(import_seconds=round(time.monotonic() - began, 1))
    return failed


def gpus(asked: int, device: str) -> list[str]:
    """Compare the GPUs that the job sees with what it asked for; return what is wrong."""
    visible = [each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    if len(visible) != asked:
        return [f"GPU: CUDA_VISIBLE_DEVICES is {','.join(visible) or 'empty'}, but {asked} were asked for"]
    # With cgroups the visible ones are counted from 0, while the files keep their numbers.
    numbers = [each for each in os.environ.get("SLURM_JOB_GPUS", "").split(",") if each] or visible
    failed = []
    for number in numbers:
        path = device.replace("{}", number)
        try:
            is_device = stat.S_ISCHR(os.stat(path).st_mode) and os.access(path, os.R_OK)
        except OSError as error:
            failed.append(f"GPU: {path}: {error.strerror}")
        else:
            if not is_device:
                failed.append(f"GPU: {path} is no device that this job may use")
    return failed


def torch_sees(asked: int) -> list[str]:
    """Where torch is there and a real GPU too, let torch count the GPUs; return what is wrong."""
    if not asked or not os.path.exists("/dev/nvidiactl"):
        return []
    program = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"
    if subprocess.run([sys.executable, "-I", "-c", "import torch"], capture_output=True, check=False).returncode:
        return []
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    counted = done.stdout.strip()
    tell(torch_gpus=counted)
    return [] if counted == str(asked) else [f"torch.cuda: sees {counted or done.stderr[-200:]}, not {asked} GPUs"]


def writable(what: str, folder: str) -> list[str]:
    """Write a file and remove it; return what is wrong."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".hpchub-check-") as file:
            file.write(b"\0" * 1024 * 1024)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return [f"{what}: {folder} cannot be written: {error.strerror}"]
    return []


def scratch() -> list[str]:
    """Write into the scratch folders that this job knows, and into the one for temporary files."""
    folders = {os.environ[name] for name in SCRATCH if os.environ.get(name)} | {tempfile.gettempdir()}
    return [line for folder in sorted(folders) for line in writable("scratch", folder)]


def kernel() -> list[str]:
    """Start a kernel as JupyterLab does and run a cell in it; return what is wrong."""
    from jupyter_client.manager import start_new_kernel

    printed = []

    def hear(message: dict[str, dict[str, str]]) -> None:
        printed.append(message["content"].get("text", ""))

    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=KERNEL_SECONDS)
    try:
        client.execute_interactive("print(6 * 7)", timeout=KERNEL_SECONDS, output_hook=hear)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return [] if "42" in "".join(printed) else [f"kernel: a cell printed {''.join(printed)!r} instead of 42"]


def step(name: str, work: Callable[[], list[str]]) -> None:
    """Do one step and tell its result: what failed, and how long it took."""
    began = time.monotonic()
    try:
        failed = work()
    except Exception as error:
        failed = [f"{name}: {type(error).__name__}: {error}"]
    tell(**{name: {"failed": failed, "seconds": round(time.monotonic() - began, 1)}})


def main() -> None:
    """Do all steps, whatever the others find."""
    asked = json.loads(os.environ["HPCHUB_CHECK"])
    tell(node=os.environ.get("SLURMD_NODENAME") or platform.node(), python=platform.python_version())
    step("gpu", lambda: gpus(asked["gpus"], asked["gpu_device"]) or torch_sees(asked["gpus"]))
    step("home", lambda: writable("home", os.path.expanduser("~")))
    step("scratch", scratch)
    step("imports", lambda: imports(asked["imports"]))
    step("kernel", kernel)


if __name__ == "__main__":
    main()

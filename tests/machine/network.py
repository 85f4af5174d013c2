"""A machine's way to the package registries: one link to this host and address translation, gone afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

LINK = "ve-hpchub"
HOST_ADDRESS, MACHINE_ADDRESS, NETWORK = "10.213.77.1", "10.213.77.2", "10.213.77.0/30"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
RULES = (
    ("-t", "nat", "POSTROUTING", "-s", NETWORK, "!", "-o", LINK, "-j", "MASQUERADE"),
    # where the host's own policy is to forward nothing
    ("-t", "filter", "FORWARD", "-i", LINK, "-j", "ACCEPT"),
    ("-t", "filter", "FORWARD", "-o", LINK, "-j", "ACCEPT"),
)


def host(*argv: str | Path, check: bool = True) -> str:
    """Run a program of this host; its output goes into the error when it fails."""
    words = [str(word) for word in argv]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: exit status {result.returncode}\n{result.stdout}")
    return result.stdout


@contextmanager
def network_for(leader: int) -> Iterator[None]:
    """Give the network namespace of a process an address and a way out, for the length of the block.

    The link itself ends with the namespace, also when this process is killed; rules that a killed run has left are
    taken over.
    """
    with ExitStack() as undo:
        host("ip", "link", "add", LINK, "type", "veth", "peer", "name", "host0", "netns", str(leader))
        undo.callback(host, "ip", "link", "delete", LINK, check=False)
        host("ip", "address", "add", f"{HOST_ADDRESS}/30", "dev", LINK)
        host("ip", "link", "set", LINK, "up")
        inside = ("nsenter", "--target", str(leader), "--net", "ip")
        host(*inside, "link", "set", "lo", "up")
        host(*inside, "address", "add", f"{MACHINE_ADDRESS}/30", "dev", "host0")
        host(*inside, "link", "set", "host0", "up")
        host(*inside, "route", "add", "default", "via", HOST_ADDRESS)
        forwarding = FORWARDING.read_text()
        FORWARDING.write_text("1\n")
        undo.callback(FORWARDING.write_text, forwarding)
        for _, table, chain, *rule in RULES:
            host("iptables", "-w", "-t", table, "-D", chain, *rule, check=False)
            host("iptables", "-w", "-t", table, "-I", chain, *rule)
            undo.callback(host, "iptables", "-w", "-t", table, "-D", chain, *rule)
        yield

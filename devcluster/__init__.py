"""A real Slurm on one machine: two clusters, many nodes, one folder, started and stopped by one command.

The demo and the tests use the same one.  Standard library only, run by Debian's own Python as root::

    /usr/bin/python3 -m devcluster up /var/lib/my-cluster --clusters demo/clusters.toml --people demo/people.toml

What is what, from the pure middle to the edges::

    spec.py         the two TOML files, validated, as values
    layout.py       where everything lies under DIR; the marker without which nothing is removed
    config.py       values → slurm.conf, gres.conf, slurmdbd.conf
    accounting.py   values → one batch of sacctmgr commands
    people.py       the POSIX users: whether they may be made, made, removed
    daemons.py      start a daemon, tell whether it lives, end it
    database.py     MariaDB's first start
    lifecycle.py    up, down and clean: the order of the steps
    report.py       status and logs
    isolate.py      a command in namespaces of its own
    slurm_root.py   another Slurm than the machine's, unpacked into a folder
    overlay.py      … and laid over the machine's inside such namespaces
"""

"""MariaDB: the first start of an empty database, and how it is run.

It has no network port and no password: its socket lies in a folder that only root and slurm can enter, and MariaDB
takes the Unix user who knocks for the name.  So there is no secret to keep.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from devcluster.daemons import Daemon
from devcluster.errors import DevclusterError
from devcluster.layout import Layout

TABLES = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
"""From /usr/share/mysql.  mariadb-install-db would do the same more slowly and needs the client's package."""

FIRST_COMMANDS = """\
create database slurm_acct_db;
flush privileges;
create user slurm@localhost identified via unix_socket;
grant all on slurm_acct_db.* to slurm@localhost;
"""

# Small, quick, and without care for a power cut: a demo's accounting is worth none of it.
OPTIONS = (
    "--user=slurm",
    "--skip-networking",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--innodb-lock-wait-timeout=900",  # slurmdbd complains about less
    "--skip-log-bin",
    "--performance-schema=OFF",
)


def is_prepared(layout: Layout) -> bool:
    """Tell whether the database was made before."""
    return layout.mysql.is_dir()


def prepare(layout: Layout) -> None:
    """Make an empty database that slurmdbd may fill.

    :raises DevclusterError: MariaDB refused; the end of what it said is in the text.
    """
    # Made under another name first: a database that exists is complete, also when we are killed on the way.
    new = layout.mysql.with_name("mysql.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    shutil.chown(new, "slurm", "slurm")
    tables = "".join(Path("/usr/share/mysql", name).read_text(encoding="utf-8") for name in TABLES)
    done = subprocess.run(
        ["mariadbd", "--no-defaults", "--bootstrap", *_folders(new), *OPTIONS],
        input=f"create database mysql;\nuse mysql;\n{tables}\n{FIRST_COMMANDS}",
        text=True,
        capture_output=True,
    )
    if done.returncode or "ERROR" in done.stderr:
        raise DevclusterError(f"MariaDB could not be prepared: {done.stderr.strip()[-1000:]}")
    new.rename(layout.mysql)


def mariadb(layout: Layout) -> Daemon:
    """How MariaDB is run."""
    places = [*_folders(layout.mysql), f"--socket={layout.mysql_socket}", f"--pid-file={layout.mysql}/mariadbd.pid"]
    # Started as root it would first read /etc/mysql; --no-defaults must be its first argument.
    return Daemon("mariadbd", ["mariadbd", "--no-defaults", *places, *OPTIONS], user="slurm")


def _folders(datadir: Path) -> list[str]:
    """Where the database lies, its temporary tables too.

    They are named by the process's number: in a common /tmp, those of two isolated clusters are each other's.
    """
    return [f"--datadir={datadir}", f"--tmpdir={datadir}"]

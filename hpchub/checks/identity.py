"""Who a check is: it sees what the hub sees, because it runs as the hub's user."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from hpchub.catalogue.site import Site
from hpchub.errors import HpchubError


def become_the_hub(site: Site) -> str:
    """Give up root's rights for those of the hub's user, who owns the state folder; return that user's name.

    Raises :class:`HpchubError` if the folder is not there, or if somebody else than root or the hub's user asks.
    """
    folder = site.hub.state_folder
    try:
        hub = pwd.getpwuid(folder.stat().st_uid)
    except OSError as error:
        raise HpchubError(
            f"hub.state_folder {folder}: {error.strerror}; its owner is the hub's user. Was this hub ever started here?"
        ) from error
    except KeyError as error:
        raise HpchubError(f"{folder} belongs to the user id {folder.stat().st_uid}, which has no name here") from error
    if os.geteuid() == 0 and hub.pw_uid != 0:
        os.initgroups(hub.pw_name, hub.pw_gid)
        os.setresgid(hub.pw_gid, hub.pw_gid, hub.pw_gid)
        os.setresuid(hub.pw_uid, hub.pw_uid, hub.pw_uid)
        os.environ.update(HOME=hub.pw_dir, USER=hub.pw_name, LOGNAME=hub.pw_name)
    if os.geteuid() != hub.pw_uid:
        raise HpchubError(f"Run this as root or as {hub.pw_name}, the hub's user: others do not see what the hub sees.")
    return hub.pw_name


def admin_token(site: Site | None, token_file: Path | None) -> str:
    """Read a token of the hub's API for admins: of the file, of the variable ``HPCHUB_TOKEN``, or the hub's own copy.

    Without a site there is no such copy.

    Raises :class:`HpchubError` if there is none that can be read.
    """
    if token_file is None and os.environ.get("HPCHUB_TOKEN"):
        return os.environ["HPCHUB_TOKEN"].strip()
    path = token_file or (site.hub.state_folder / "secrets" / "admin-token" if site else None)
    if path is None:
        raise HpchubError("A token of the hub's API is needed: --token-file FILE, or the variable HPCHUB_TOKEN.")
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "is no text"
        raise HpchubError(
            f"{path}: {said}. A token of the hub's API is needed: --token-file FILE, or the variable HPCHUB_TOKEN."
        ) from error

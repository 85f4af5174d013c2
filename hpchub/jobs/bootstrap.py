"""Runs inside the job: starts the notebook server, waits until it listens, tells the hub.

Standard library only and Python 3.9 or newer, because it runs in the environment of the profile, whatever that holds.
It reaches the job as a part of its script.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    import urllib.request

SERVER_EXITED = 72
HUB_UNREACHABLE = 73
NOT_WANTED = 74
NO_PLACE = 75

PLACES = ("/tmp", "/dev/shm")  # noqa: S108 - where a folder can be that TMPDIR has no place for
LAID: list[str] = []  # the folders of make_folder, while they are there
ENCRYPTION: list[urllib.request.HTTPSHandler] = []  # what encryption has read
BESIDE = ""  # the files of hpchub/lab, as that packs them: script.py writes this line too
PREPARE = ""  # the program of prepare.py, where a session has something to prepare: script.py writes both lines
FACTS = ""
PREPARE_SECONDS = 60
LAB = "/lab"
DETAIL_CHARACTERS = 300
PORT_TRIES = 5
HUB_PATIENCE_SECONDS = 600  # an upgrade or an outage of the hub must not cost a job that has waited for hours
ANNOUNCE_SECONDS = 1
LOG_TAIL_BYTES = 3000


class NotWanted(Exception):
    """The hub says that this session is over."""


class CertificateNotLaid(Exception):
    """The node has no place for the session's certificate, without which nobody may be spoken to."""


def say(text: str) -> None:
    """Write one line to the job's log."""
    print("hpchub: " + text, file=sys.stderr, flush=True)


def post(report: dict[str, object]) -> bool:
    """Send one report; return whether it arrived."""
    # Imported while the server starts already, for which somebody waits.
    import urllib.error
    import urllib.request

    # The hub is never behind the proxy that a site sets for the outside world.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *encryption())
    hub = os.environ["JUPYTERHUB_API_URL"]
    request = urllib.request.Request(  # noqa: S310 - the hub's own address, which the hub gave us
        hub.rstrip("/") + "/hpchub/sessions/" + os.environ["HPCHUB_SESSION"],
        data=json.dumps(report).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"],
        },
    )
    try:
        with opener.open(request, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        if error.code in (400, 403, 404, 409):
            raise NotWanted(f"the hub answered {error.code}") from error
        say(f"the hub at {hub} answered {error.code}")
    except OSError as error:
        say(f"the hub cannot be reached at {hub}: {error}")
    return False


def encryption() -> list[urllib.request.HTTPSHandler]:
    """How the hub is spoken to where that is encrypted: with the certificate that `lay_certificate` has laid."""
    if "JUPYTERHUB_SSL_CERTFILE" in os.environ and not ENCRYPTION:
        import ssl
        import urllib.request

        context = ssl.create_default_context(cafile=os.environ["JUPYTERHUB_SSL_CLIENT_CA"])
        context.load_cert_chain(os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"])
        ENCRYPTION.append(urllib.request.HTTPSHandler(context=context))
    return ENCRYPTION


def post_patiently(report: dict[str, object], server: subprocess.Popen[bytes]) -> bool:
    """Send a report again and again until it arrives, the server ends, or our patience does."""
    deadline = time.monotonic() + HUB_PATIENCE_SECONDS
    pause = 0.2
    while not post(report):
        if time.monotonic() > deadline or server.poll() is not None:
            return False
        time.sleep(pause)
        # soon after a hub is back, which waits only so long for word of a job (`contact_seconds` of the site file)
        pause = min(pause * 1.5, 2)
    return True


def prepare() -> dict[str, str]:
    """Have an event's folders made and its material fetched; give what of it failed, a detail by each word.

    The notebook starts all the same, after a minute at the latest.
    """
    if not PREPARE:
        return {}
    post({"phase": "starting"})  # a job that says nothing for so long would be ended
    command, pipe = [sys.executable, "-I", "-", FACTS], subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
    try:
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        said, _ = child.communicate(PREPARE.encode(), PREPARE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        said, _ = child.communicate()
    except SystemExit:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return take_news(said)


def take_news(said: bytes) -> dict[str, str]:
    """Read what `prepare.py` said: give what failed, and let JupyterLab open what it names."""
    troubles: dict[str, str] = {}
    for line in said.decode(errors="replace").splitlines():
        try:
            news = json.loads(line)
        except ValueError:
            continue  # it was ended in the middle of a line
        if not isinstance(news, dict):
            continue
        for word, detail in news.get("troubles", {}).items():
            troubles.pop(word, None)
            if detail is not None:
                troubles[word] = detail[:DETAIL_CHARACTERS]
        if "open" in news and os.environ.get("JUPYTERHUB_DEFAULT_URL", "").startswith(LAB):
            os.environ["JUPYTERHUB_DEFAULT_URL"] = LAB + "/tree/" + news["open"]
    return troubles


def make_folder(place: str = "") -> str:
    """Make a folder of the job's own, which `take_away` removes, also when the job is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # not without taking it away again
    # A name that nobody knows before: the folder of temporary files is often everybody's.
    folder = os.path.join(place or os.environ.get("TMPDIR") or PLACES[0], "hpchub-" + os.urandom(8).hex())
    LAID.append(folder)
    os.mkdir(folder, 0o700)
    return folder


def lay_certificate() -> None:
    """Lay the session's key and certificate, where the hub gave some, and have the server read them.

    TMPDIR may name a folder that only other nodes have, or that a container does not see.
    """
    given = os.environ.pop("HPCHUB_TLS", "")
    if not given:
        return
    troubles = []
    for place in dict.fromkeys((os.environ.get("TMPDIR") or PLACES[0], *PLACES)):
        try:
            folder = make_folder(place)
            for name, text in json.loads(given).items():
                path = os.path.join(folder, name.lower())
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                    file.write(text)
                os.environ[name] = path
        except OSError as error:
            take_away()
            troubles.append(str(error))
        else:
            return
    raise CertificateNotLaid("; ".join(troubles))


def lay_files() -> None:
    """Lay what the hub gives a notebook server into a folder of the job's own, and have the server read it.

    Where that cannot be, the notebook starts without it.
    """
    if not BESIDE:
        return
    kept = len(LAID)
    try:
        folder = make_folder()
        for path, text in json.loads(zlib.decompress(binascii.a2b_base64(BESIDE))).items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        say(f"the notebook starts without what it could show of its session: {error}")
        take_away(kept)
        return
    before = os.environ.get("JUPYTER_CONFIG_PATH", "")
    os.environ["HPCHUB_JUPYTER_CONFIG_PATH"] = before
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, (folder, before)))


def take_away(kept: int = 0) -> None:
    """Remove the folders of `make_folder`, but for so many of the first."""
    import shutil

    while len(LAID) > kept:
        shutil.rmtree(LAID.pop(), ignore_errors=True)


def reserve_port(address: str) -> tuple[socket.socket, int]:
    """Bind a free port without listening on it.

    While we hold it the kernel gives it to nobody who asks for any port.  The server can still bind it, because both
    sockets set SO_REUSEADDR and ours does not listen (socket(7)).  Somebody else can too: whose port it became is
    checked by `listens`.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((address, 0))
    return holder, holder.getsockname()[1]


def listening_sockets(port: int) -> set[str]:
    """The TCP sockets that listen on a port of this node, as /proc/PID/fd names them (proc(5))."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table) as lines:
            for line in lines:
                fields = line.split()
                if len(fields) > 9 and fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def listens(server: subprocess.Popen[bytes], port: int) -> bool:
    """Tell whether it is our server that listens on the port, and not another user's program on the same node."""
    sockets = listening_sockets(port)
    folder = f"/proc/{server.pid}/fd"
    if sockets:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    if os.readlink(os.path.join(folder, name)) in sockets:
                        return True
    return False


def wait_until_it_listens(server: subprocess.Popen[bytes], port: int, announced: bool) -> bool:
    """Return True once the server listens on its port, False if it ends before.

    A hub that is away for a moment is told in the meantime: it takes a job that stays silent for one that cannot reach
    it.
    """
    next_try = time.monotonic() + ANNOUNCE_SECONDS
    while server.poll() is None:
        if listens(server, port):
            return True
        if not announced and time.monotonic() > next_try:
            announced = announce(server)
            next_try = time.monotonic() + ANNOUNCE_SECONDS
        time.sleep(0.05)
    return False


def start_server(address: str, port: int) -> subprocess.Popen[bytes]:
    """Start the notebook server on exactly this port."""
    scheme = "https" if "JUPYTERHUB_SSL_CERTFILE" in os.environ else "http"
    url = f"{scheme}://{address}:{port}{os.environ['JUPYTERHUB_SERVICE_PREFIX']}"
    # The script and not `-m`: that would put the home folder first on the module path, with all that lies in it.
    command = [sys.executable, os.path.join(os.path.dirname(sys.executable), "jupyterhub-singleuser")]
    if "HPCHUB_SINGLEUSER" in os.environ:
        # Of modules or an image: on the PATH, perhaps with a Python that is not this one.
        command = [os.environ["HPCHUB_SINGLEUSER"]]
    options = ["--ServerApp.port_retries=0"]
    if "HPCHUB_CACHE_SECONDS" in os.environ:
        # For so long it takes the hub's word about who may enter.
        options.append("--HubOAuth.cache_max_age=" + os.environ["HPCHUB_CACHE_SECONDS"])
    return subprocess.Popen(
        [*command, *options],
        env=dict(os.environ, JUPYTERHUB_SERVICE_URL=url),
        stdin=subprocess.DEVNULL,
    )


def log_tail() -> str:
    """The last lines that the server wrote: our standard output is the job's log file."""
    with contextlib.suppress(OSError), open("/proc/self/fd/1", "rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(log.tell() - LOG_TAIL_BYTES, 0))
        return log.read().decode(errors="replace")
    return ""


def announce(server: subprocess.Popen[bytes]) -> bool:
    """Tell the hub that the server is starting, and return whether it heard; end it if the hub does not want it."""
    try:
        return post({"phase": "starting"})
    except NotWanted:
        end(server)
        raise


def ask_to_end(server: subprocess.Popen[bytes]) -> None:
    """Pass Slurm's word on; Slurm kills what does not end in time, so what must be done is done at once."""
    server.terminate()
    take_away()


def end(server: subprocess.Popen[bytes]) -> None:
    """End the server, if it runs, and wait for it."""
    if server.poll() is None:
        server.terminate()
        server.wait()


def start_on_a_free_port(address: str) -> tuple[subprocess.Popen[bytes], int, bool]:
    """Start the server; return it, its port, and whether it listens there."""
    announced = False
    for _ in range(PORT_TRIES):
        holder, port = reserve_port(address)
        with holder:
            server = start_server(address, port)
            encryption()  # read before a stop takes its files away
            signal.signal(signal.SIGTERM, lambda *_, server=server: ask_to_end(server))
            announced = announced or announce(server)
            if wait_until_it_listens(server, port, announced):
                return server, port, True
        if not listening_sockets(port):
            break
        say(f"port {port} was taken by another program; trying another one")
    return server, port, False


def serve(server: subprocess.Popen[bytes], port: int, listening: bool, troubles: dict[str, str]) -> int:
    """Report the server's port and wait for its end; return our exit status."""
    ready: dict[str, object] = {"phase": "ready", "port": port}
    if troubles:
        ready["troubles"] = troubles
    if listening and not post_patiently(ready, server) and server.poll() is None:
        say(f"giving up after {HUB_PATIENCE_SECONDS} s without the hub")
        return HUB_UNREACHABLE
    status = server.wait()
    if status in (0, -signal.SIGTERM):
        post({"phase": "ended"})
        return 0
    say(f"the notebook server ended with {status}")
    if status == -signal.SIGKILL:
        # Not by itself: out of memory, most likely, which Slurm knows and we do not.
        post({"phase": "ended"})
        return SERVER_EXITED
    post({"phase": "failed", "message": log_tail()})
    return SERVER_EXITED


def main() -> int:
    """Run the session from its start to its end; return the job's exit status."""
    try:
        try:
            lay_certificate()
            troubles = prepare()
            lay_files()
            server, port, listening = start_on_a_free_port(os.environ["HPCHUB_ADDRESS"])
            try:
                return serve(server, port, listening, troubles)
            finally:
                end(server)
        finally:
            take_away()
    except CertificateNotLaid as error:
        say(f"the notebook cannot start, because its certificate cannot be written: {error}")
        return NO_PLACE
    except NotWanted as error:
        say(f"{error}: this session is over")
        return NOT_WANTED


if __name__ == "__main__":
    sys.exit(main())

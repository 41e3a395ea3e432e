"""What deploy/ holds is right, and works: units, container, compose files, the balancer's configuration."""

from __future__ import annotations

import ctypes
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from indicia.cli.root import root
from indicia.settings import Settings
from tests.acceptance.command_line import SCRIPT
from tests.postgres import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
INSTALLED = "/opt/indicia/bin/indicia"
HAPROXY = "/usr/sbin/haproxy"
# Of `systemd-analyze security`: 0 is shut in wholly, 10 not at all. What a server has to have costs 1.2.
EXPOSED_AT_MOST = 1.5


@contextmanager
def server(folder: Path, *arguments: str, command: list[str] | None = None, **environment: str) -> Iterator[Any]:
    """Run `indicia serve` and give its address and its process."""
    folder.mkdir(exist_ok=True)
    shown = {"PATH": os.environ["PATH"], "XDG_DATA_HOME": str(folder), **environment}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [*(command or [str(SCRIPT)]), "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=shown,
            cwd=folder,
        ) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http"), (folder / "log").read_text()
        try:
            yield address, process
        finally:
            process.terminate()
            process.communicate(timeout=30)


def named_settings(text: str) -> set[str]:
    return set(re.findall(r"\bINDICIA_[A-Z_]+\b", text))


def test_every_setting_that_is_named_exists() -> None:
    known = {f"INDICIA_{name.upper()}" for name in Settings.model_fields}
    for file in DEPLOY.iterdir():
        if file.is_file():
            # Two are of the build: see Makefile and tools/assets.py.
            named = named_settings(file.read_text(encoding="utf-8"))
            assert named - {"INDICIA_KERNEL_REQUIRED", "INDICIA_ASSETS_REQUIRED"} <= known, file.name


def test_nothing_secret_is_in_it() -> None:
    for file in DEPLOY.rglob("*"):
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        assert "BEGIN" not in text
        assert not re.search(r"(?i)(password|secret|token)\s*[:=]\s*[\"']?[a-z0-9]{6,}", text), file.name


# -- systemd ----------------------------------------------------------------------------------------------------------


def commands_of(unit: Path) -> list[list[str]]:
    lines = re.findall(r"^Exec\w+=(.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze: apt install systemd")
    return found


def test_units_are_what_systemd_understands(analyze: str, tmp_path: Path) -> None:
    for unit in (*UNITS, DEPLOY / "indicia-backup.timer"):
        text = unit.read_text(encoding="utf-8").replace(INSTALLED, str(SCRIPT))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    named = [str(each) for each in tmp_path.iterdir()]
    done = subprocess.run([analyze, "verify", "--man=no", *named], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "indicia" in line]
    assert told == []
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_shut_in(analyze: str, unit: Path) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSED_AT_MOST * 10:.0f}", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at a unit that is not installed")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_call_commands_that_there_are(unit: Path) -> None:
    for command in commands_of(unit):
        if command[0] == INSTALLED:
            assert command[1] in root.lazy
        else:
            assert command[0].startswith("/usr/bin/")


def test_the_server_works_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    """As MemoryDenyWriteExecute= has it; the kernel's own switch stands in for systemd's filter."""
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:  # PR_GET_MDWE
        pytest.skip("this kernel cannot deny it: Linux 6.3 can")
    deny = "import ctypes, os, sys; assert not ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)"
    deny += "; os.execv(sys.argv[1], sys.argv[1:])"
    with server(tmp_path / "data", command=[sys.executable, "-c", deny, str(SCRIPT)]) as (address, _):
        assert httpx.get(f"{address}/readyz").status_code == 200
        assert httpx.get(f"{address}/sign-in").status_code == 200


def test_a_url_in_a_file_is_used(tmp_path: Path) -> None:
    url = tmp_path / "database_url"
    url.write_text(f"sqlite:///{tmp_path / 'named.db'}\n")
    with server(tmp_path / "data", INDICIA_DATABASE_URL_FILE=str(url)) as (address, _):
        assert httpx.get(f"{address}/readyz").status_code == 200
    assert (tmp_path / "named.db").exists()


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_file_without_a_url_is_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "database_url"
    if content is not None:
        file.write_text(content)
    done = subprocess.run(
        [SCRIPT, "list"],
        env={"INDICIA_DATABASE_URL_FILE": str(file), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "INDICIA_DATABASE_URL_FILE" in done.stderr


# -- the container ----------------------------------------------------------------------------------------------------


def steps() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], " ".join(line.split(None, 1)[1].split())) for line in lines if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = steps()
    return found[max(place for place, (name, _) in enumerate(found) if name == "FROM") :]


def words(name: str) -> list[str]:
    """Return the words of the last ENTRYPOINT or CMD."""
    found: list[str] = yaml.safe_load([value for each, value in last_stage() if each == name][-1])
    return found


def test_every_file_that_is_copied_is_there_and_is_not_ignored() -> None:
    allowed = [
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    copied = [value.split()[:-1] for name, value in steps() if name == "COPY" and "--from" not in value]
    assert copied
    for file in (each for sources in copied for each in sources):
        assert (ROOT / file).exists(), file
        assert any(fnmatch.fnmatch(file, pattern) or file.startswith(f"{pattern}/") for pattern in allowed), file


@pytest.mark.parametrize("command", [value for name, value in steps() if name == "RUN"])
def test_every_step_is_a_command_that_a_shell_understands(command: str) -> None:
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


def test_what_runs_is_nobody_and_has_no_compiler() -> None:
    stage = last_stage()
    [user] = [value for name, value in stage if name == "USER"]
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", user)
    installed = " ".join(value for name, value in stage if name == "RUN")
    assert not re.search(r"\b(g\+\+|gcc|npm|curl)\b", installed)
    names = [name for name, _ in stage]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))


def test_what_the_container_runs_works_and_its_healthcheck_tells(tmp_path: Path) -> None:
    [check] = [value for name, value in last_stage() if name == "HEALTHCHECK"]
    asked = yaml.safe_load(check[check.index("CMD") + 3 :])
    entry, arguments = words("ENTRYPOINT"), words("CMD")
    assert entry == ["indicia"]
    assert arguments[0] == "serve"
    assert asked[0] == "indicia"
    with server(tmp_path / "data", *arguments[1:]) as (address, _):
        port = address.rpartition(":")[2]
        command = [str(SCRIPT), *(each.replace("8484", port) for each in asked[1:])]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


@pytest.mark.slow
def test_the_image_can_be_built_and_run(tmp_path: Path) -> None:
    """Where there is buildah, and a base image that INDICIA_TEST_BASE names: without an engine, in a chroot."""
    base = os.environ.get("INDICIA_TEST_BASE")
    if base is None or shutil.which("buildah") is None:
        pytest.skip("needs buildah and INDICIA_TEST_BASE, the name of a local image of Debian")
    buildah = ["buildah", "--storage-driver", "vfs"]
    options = ["--isolation", "chroot", "--build-arg", f"BASE={base}", "-f", "deploy/Dockerfile", "-t", "indicia-test"]
    ignoring = ["--ignorefile", "deploy/Dockerfile.dockerignore"]
    subprocess.run([*buildah, "bud", *options, *ignoring, "."], cwd=ROOT, check=True)
    made = subprocess.run([*buildah, "from", "indicia-test"], check=True, capture_output=True, text=True).stdout.strip()
    try:
        running = [*buildah, "run", "--isolation", "chroot", made, "--"]
        for command in (["indicia", "--version"], ["indicia", "sample"], ["indicia", "list", "--count"]):
            subprocess.run([*running, *command], check=True)
        [who] = subprocess.run([*running, "id", "-u"], check=True, capture_output=True, text=True).stdout.split()
        assert who == "10001"
    finally:
        subprocess.run([*buildah, "rm", made], check=True, capture_output=True)


# -- compose ----------------------------------------------------------------------------------------------------------

# Of the Compose specification (compose-spec.json), what these files may use.
TOP = {"name", "services", "volumes", "networks", "secrets"}
SERVICE = {
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "mem_limit",
    "networks",
    "pids_limit",
    "ports",
    "read_only",
    "restart",
    "secrets",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "tmpfs",
    "volumes",
}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


def loaded(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {name: value for name, value in found.items() if not name.startswith("x-")}


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_compose_files_say_what_compose_understands(file: Path) -> None:
    document = loaded(file)
    assert set(document) <= TOP
    for name, service in document["services"].items():
        assert set(service) <= SERVICE, name
        assert service["image"], name
        assert service["restart"] in ("no", "unless-stopped"), name
        for kind in ("secrets", "networks"):
            assert set(service.get(kind, ())) <= set(document.get(kind, {})), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert source in document["volumes"] or (DEPLOY / source).exists(), name
        waits = service.get("depends_on", {})
        assert set(waits) <= set(document["services"]), name
        conditions = {each["condition"] for each in waits.values()} if isinstance(waits, dict) else set()
        assert conditions <= CONDITIONS
        for port in service.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), "to be reached from elsewhere takes TLS"
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_our_containers_can_write_to_their_data_only(file: Path) -> None:
    for name, service in loaded(file)["services"].items():
        if service["image"] == "indicia":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            command = service.get("command", words("CMD"))
            assert command[0] in root.lazy


def test_the_server_works_where_everything_but_its_data_is_read_only(tmp_path: Path) -> None:
    """As with read_only, and a tmpfs for temporary files."""
    data = tmp_path / "data"
    data.mkdir()
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind / && touch "$0"/yes && ! touch /no 2>/dev/null'
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    tried = shutil.which("unshare") and subprocess.run([*alone, read_only, data], capture_output=True, check=False)
    if not tried or tried.returncode:
        pytest.skip("no mounts of our own can be made here")
    command = [*alone, f'{read_only} && shift && exec "$@"', str(data), "-", str(SCRIPT)]
    with server(data, command=command, TMPDIR=str(data)) as (address, _):
        assert httpx.get(f"{address}/readyz").status_code == 200
        assert httpx.get(f"{address}/sign-in").status_code == 200
    assert (data / "yes").exists()


# -- the balancer -----------------------------------------------------------------------------------------------------


@contextmanager
def balancer(folder: Path, nodes: list[str]) -> Iterator[str]:
    """Run the balancer of the compose file in front of *nodes* and give its address."""
    port = free_port()
    text = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8").replace(":8080", f"127.0.0.1:{port}", 1)
    text = text.replace("    parse-resolv-conf\n", "    nameserver none 127.0.0.1:1\n")
    for number, node in enumerate(nodes, 1):
        text = text.replace(f"node{number}:8484", node.removeprefix("http://"))
    (folder / "haproxy.cfg").write_text(text)
    with subprocess.Popen([HAPROXY, "-db", "-f", str(folder / "haproxy.cfg")], stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_behind_the_balancer_a_node_may_stop_or_die(tmp_path: Path, postgres_url: str) -> None:
    if not Path(HAPROXY).exists():
        pytest.skip("no haproxy: apt install haproxy")
    settings = {"INDICIA_DATABASE_URL": postgres_url}
    with server(tmp_path / "one", **settings) as (one, _), server(tmp_path / "two", **settings) as (two, second):
        with balancer(tmp_path, [one, two]) as address:

            def asked(times: int) -> list[int]:
                """Ask as different clients do, each by a connection of its own."""
                return [httpx.get(f"{address}/sign-in").status_code for _ in range(times)]

            assert set(asked(20)) == {200}
            second.kill()
            second.wait(10)
            # What it has not begun to answer goes to the other one, also before the balancer knows.
            assert set(asked(40)) == {200}
        with server(tmp_path / "three", **settings) as (three, third), balancer(tmp_path, [one, three]) as address:
            third.terminate()
            assert set(asked(40)) == {200}

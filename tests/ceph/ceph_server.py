"""A Ceph of one node on loopback: monitor, one OSD in memory, RADOS Gateway."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET = "labelstore", "labelstore-secret"
CONFIG = """[global]
fsid = {fsid}
mon_initial_members = a
mon_host = v2:127.0.0.1:{mon}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc secure
ms_mon_service_mode = crc secure
ms_mon_cluster_mode = crc secure
auth_allow_insecure_global_id_reclaim = false
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
ms_bind_ipv4 = true
ms_bind_ipv6 = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 0
mon_data_avail_crit = 0
osd_objectstore = memstore
memstore_device_bytes = 2147483648
log_file = {folder}/$name.log
admin_socket = {folder}/$name.$pid.asok
run_dir = {folder}
keyring = /dev/null
mon_data = {folder}/mon
osd_data = {folder}/osd
osd_max_object_name_len = 256
osd_max_object_namespace_len = 64
rgw_frontends = beast endpoint=127.0.0.1:{port}
"""
WAIT_S = 120.0


@dataclass
class Ceph:
    """A running server.

    Attributes:
        folder: its files.
        port: of the S3 gateway.
    """

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def admin(self, *words: str) -> str:
        """Run radosgw-admin."""
        return self._run("radosgw-admin", "-n", "client.admin", *words)

    def user(self, name: str, key: str, secret: str) -> None:
        self.admin("user", "create", f"--uid={name}", f"--display-name={name}",
                   f"--access-key={key}", f"--secret={secret}")  # fmt: skip

    def _run(self, *words: str) -> str:
        command = [words[0], "-c", str(self.folder / "ceph.conf"), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            logs = "".join(path.read_text()[-2000:] for path in self.folder.glob("*.out"))
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}\n{logs}")
        return done.stdout


@contextlib.contextmanager
def ceph(folder: Path) -> Iterator[Ceph]:
    """Start a Ceph and stop it; the folder's path must be short, for it holds sockets."""
    mon, port = free_port(), free_port()
    for name in ("mon", "osd"):
        (folder / name).mkdir(parents=True)
    fsid, osd = (str(uuid.uuid4()) for _ in range(2))
    (folder / "ceph.conf").write_text(
        CONFIG.format(fsid=fsid, mon=mon, port=port, folder=folder))  # fmt: skip
    server = Ceph(folder, port)
    conf = ("-c", str(folder / "ceph.conf"))
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        with open(folder / f"{words[0]}.out", "wb") as out:
            running.append(subprocess.Popen(words, stdout=out, stderr=out))

    try:
        subprocess.run(["monmaptool", "--create", "--fsid", fsid, "--addv", "a",
                        f"[v2:127.0.0.1:{mon}]", str(folder / "monmap")],
                       check=True, capture_output=True)  # fmt: skip
        server._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"))
        start("ceph-mon", *conf, "-i", "a", "-f")
        server._run("ceph", "--connect-timeout", "60", "osd", "new", osd)
        server._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        start("ceph-osd", *conf, "-i", "0", "-f")
        until(lambda: "1 up" in server._run("ceph", "osd", "stat"))
        server.user("t", KEY, SECRET)
        start("radosgw", *conf, "-n", "client.rgw", "-f")
        until(lambda: reachable(port))
        yield server
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


def until(true: object) -> None:
    """Wait until something holds."""
    assert callable(true)
    deadline = time.monotonic() + WAIT_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("Ceph did not start")
        time.sleep(0.2)


def reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

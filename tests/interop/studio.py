"""A studio with its repository, seedbox and web server, and players' launchers: our programs as they are shipped."""

import filecmp
import json
import os
import shutil
import stat
import subprocess

import libtorrent as lt

from clients import Client
from world import program, wait_for


def run(*command, check=True):
    """Runs a program of ours with --json; returns its last line. A failure shows what it said."""
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-800:]}\n{done.stderr[-800:]}")
    last = lines[-1] if lines else {}
    last["exit"] = done.returncode
    return last


class Seedbox(Client):
    """`seedbox serve`."""

    def serve(self, data):
        http, peers = f"{self.address}:{self.port}", f"{self.address}:{self.port + 1}"
        self.spawn(program("seedbox"), "serve", "--data", data, "--listen", http, "--peer-listen", peers, "--json")
        log = os.path.join(self.work, "log")
        wait_for("the seedbox serves", lambda: '"listening"' in open(log).read(), self)


class Nginx(Client):
    """A plain web server; `tracker` is what stands behind its /announce."""

    def serve(self, folder, tracker=None):
        announce = ""
        if tracker:
            announce = f"location = /announce {{ proxy_pass {tracker.url}; proxy_set_header X-Real-IP $remote_addr; }}"
        with open(os.path.join(self.work, "nginx.conf"), "w") as file:
            file.write(
                f"""
                daemon off; master_process off; user root; pid {self.work}/pid; error_log stderr;
                events {{ }}
                http {{
                    access_log {self.work}/access;
                    client_body_temp_path {self.work}/t1; proxy_temp_path {self.work}/t2; fastcgi_temp_path {self.work}/t3;
                    uwsgi_temp_path {self.work}/t4; scgi_temp_path {self.work}/t5;
                    server {{
                        listen {self.address}:{self.port};
                        root '{folder}';
                        {announce}
                    }}
                }}
                """
            )
        self.spawn("nginx", "-p", self.work, "-c", os.path.join(self.work, "nginx.conf"))
        wait_for("nginx serves", lambda: os.path.exists(os.path.join(self.work, "pid")), self)


class Studio:
    """A repository. `address` is where players will find it."""

    def __init__(self, scratch, address, port, game="game"):
        self.url = f"http://{address}:{port}"
        self.data, self.keys, self.game = scratch("data"), scratch("keys"), game
        self.public = os.path.join(self.data, "public")
        made = run(program("seedbox"), "init", "--data", self.data, "--keys", self.keys, "--public-url", self.url)
        self.root = made["root"]

    def publish(self, build, release, check=True, options=()):
        where = ("--data", self.data, "--keys", self.keys)
        return run(
            program("seedbox"), "publish", build, *where, "--game", self.game, "--release", release, *options, check=check
        )

    def torrent(self, kind, out, web=False, announce=True):
        """A copy of the newest torrent of that kind ("v1", "hybrid" or "pack"), with or without its web seeds and trackers."""
        folder = os.path.join(self.public, "torrents")
        for name in sorted(os.listdir(folder), key=lambda name: -os.stat(os.path.join(folder, name)).st_mtime_ns):
            with open(os.path.join(folder, name), "rb") as file:
                raw = file.read()
            info = lt.torrent_info(lt.bdecode(raw))
            its_kind = "hybrid" if info.info_hashes().has_v2() else "v1"
            if ("pack" if info.name().endswith(".pack") else its_kind) == kind:
                break
        else:
            raise AssertionError(f"no {kind} torrent is published")
        torrent = lt.bdecode(raw)
        if not web:
            torrent.pop(b"url-list", None)
        if not announce:
            torrent.pop(b"announce", None)
            torrent.pop(b"announce-list", None)
        with open(out, "wb") as file:
            file.write(lt.bencode(torrent))
        return out

    def install(self, folder, *more):
        return run(
            program("launcher"), "install", "--repo", self.url, "--trust", self.root, "--game", self.game,
            "--dir", folder, *more,
        )  # fmt: skip


def assert_installed(build, folder, modes=True):
    """That an install is the build, to the byte and to the executable bit, and holds nothing else."""
    differences = []

    def compare(pair):
        differences.extend(f"only in one: {pair.left}/{name}" for name in pair.left_only + pair.right_only)
        _, wrong, odd = filecmp.cmpfiles(pair.left, pair.right, pair.common_files, shallow=False)
        differences.extend(f"not the same: {pair.left}/{name}" for name in wrong + odd + pair.common_funny)
        for name in pair.common_files if modes else ():
            left, right = (os.stat(os.path.join(side, name)).st_mode & stat.S_IXUSR for side in (pair.left, pair.right))
            if left != right:
                differences.append(f"not the same executable bit: {pair.left}/{name}")
        for sub in pair.subdirs.values():
            compare(sub)

    compare(filecmp.dircmp(build, folder, ignore=[".samara"], hide=[]))
    if differences:
        raise AssertionError(f"{len(differences)} differences, such as {differences[:5]}")


def builds(game):
    """The folders of a real game's releases, oldest first; `tests/scripts/builds` has put them there."""
    from world import ROOT

    script = os.path.join(ROOT, "tests", "scripts", "builds")
    return subprocess.run([script, game], check=True, capture_output=True, text=True).stdout.split()


def copy(source, target):
    shutil.copytree(source, target, symlinks=True)
    return target

#!/usr/bin/env python3
"""Verifies a Samara repository with Python's own TUF client (PyPI: tuf).

    tuf_verify.py --root ROOT.json --target PATH... (--url URL | --dir PUBLIC)

Without options it makes a repository with our seedbox, and lets python-tuf and our own client (under the public
suite's command line) verify it, and refuse it once it was changed.

URL, or the folder PUBLIC (which is then served on loopback), holds `metadata/` and `targets/`. Exits 0 when every
target was fetched and verified from ROOT.json, and prints its length and SHA-256; 1 with the reason otherwise.
"""

import argparse
import functools
import hashlib
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient import Updater, UpdaterConfig

import world

GAME = "leaf"
TARGETS = [f"games/{GAME}/releases/1.0.manifest", f"games/{GAME}/channels/stable.json"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A plain file server: what the repository needs, and no more."""

    def log_message(self, *_args):
        pass


def serve(folder):
    """Serves a folder on a free port of 127.0.0.1; returns its address and how to stop."""
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}", server.shutdown


def verify(url, root, targets):
    """Refreshes from `root` and downloads each target; raises what python-tuf raises."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        metadata, downloads = scratch / "metadata", scratch / "targets"
        metadata.mkdir()
        downloads.mkdir()
        updater = Updater(
            metadata_dir=str(metadata),
            metadata_base_url=f"{url}/metadata/",
            target_dir=str(downloads),
            target_base_url=f"{url}/targets/",
            # Targets lie under `DIR/HASH.name`.
            config=UpdaterConfig(prefix_targets_with_hash=True),
            bootstrap=root,
        )
        updater.refresh()
        for target in targets:
            info = updater.get_targetinfo(target)
            if info is None:
                raise RepositoryError(f"no role signs {target}")
            path = pathlib.Path(updater.download_target(info))
            content = path.read_bytes()
            print(f"{target} {len(content)} {hashlib.sha256(content).hexdigest()}")


def published(scratch):
    """A repository with one release, made by our seedbox; returns its root and its public folder."""
    build = pathlib.Path(scratch("build"))
    build.mkdir()
    (build / "game.bin").write_bytes(bytes(range(256)) * 1000)
    data, keys = scratch("data"), scratch("keys")
    seedbox = world.program("seedbox")
    subprocess.run([seedbox, "init", "--data", data, "--keys", keys], check=True, capture_output=True, timeout=60)
    where = ["--data", data, "--keys", keys, "--game", GAME, "--release", "1.0"]
    subprocess.run([seedbox, "publish", str(build), *where], check=True, capture_output=True, timeout=60)
    public = pathlib.Path(data) / "public"
    return public / "metadata" / "root.json", public


def ours(scratch, root, url):
    """Our verifying client under the public suite's command line; returns its exit code."""
    metadata = scratch("client")
    client = [world.program("tuf_client"), "--metadata-dir", metadata]
    init = subprocess.run([*client, "init", str(root)], capture_output=True, text=True, timeout=60)
    wanted = [part for target in TARGETS for part in ("--target-name", target)]
    where = ["--target-dir", scratch("got"), "--target-base-url", f"{url}/targets"]
    get = [*client, "--metadata-url", f"{url}/metadata", *wanted, *where, "download"]
    return init.returncode or subprocess.run(get, capture_output=True, text=True, timeout=60).returncode


def both_verify(scratch):
    """python-tuf and our client accept what the seedbox signed."""
    root, public = published(scratch)
    url, stop = serve(str(public))
    try:
        verify(url, root.read_bytes(), TARGETS)
        assert ours(scratch, root, url) == 0
    finally:
        stop()


def both_refuse(scratch):
    """One changed byte in any file the clients read, and neither accepts it."""
    root, public = published(scratch)
    pinned = root.read_bytes()
    url, stop = serve(str(public))
    try:
        read = [path for path in (public / "metadata").iterdir() if path.name == "timestamp.json"]
        read += [newest(public / "metadata", role) for role in ("snapshot", "targets", f"{GAME}.releases")]
        read += (public / "targets").rglob("*.manifest")
        for path in read:
            good = path.read_bytes()
            path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
            try:
                verify(url, pinned, TARGETS)
            except RepositoryError:
                pass
            else:
                raise AssertionError(f"python-tuf accepted a changed {path.name}")
            shutil.rmtree(scratch("client"), ignore_errors=True)
            os.makedirs(scratch("client"))
            pathlib.Path(scratch("pinned.json")).write_bytes(pinned)
            assert ours(scratch, scratch("pinned.json"), url) == 1, f"we accepted a changed {path.name}"
            path.write_bytes(good)
    finally:
        stop()
    return f"{len(read)} files"


def newest(folder, role):
    """The newest version of a role's file."""
    return max(folder.glob(f"*.{role}.json"), key=lambda path: int(path.name.split(".")[0]))


def one():
    """Verifies the repository named on the command line."""
    parser = argparse.ArgumentParser(description="Verify a Samara repository with python-tuf.")
    parser.add_argument("--root", required=True, type=pathlib.Path, help="the root file players are given")
    parser.add_argument("--target", required=True, action="append", help="a target path; can be repeated")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="address of the public folder")
    where.add_argument("--dir", type=pathlib.Path, help="the public folder itself")
    options = parser.parse_args()

    stop = None
    if options.dir:
        url, stop = serve(str(options.dir))
    else:
        url = options.url.rstrip("/")
    try:
        verify(url, options.root.read_bytes(), options.target)
    except (RepositoryError, DownloadError, OSError) as error:
        print(f"tuf_verify: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        if stop:
            stop()
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(one())
    cases = [("both clients verify a release", both_verify), ("both refuse what was changed", both_refuse)]
    world.run_all("trust", cases)

"""Our programs for Windows, under Wine: the launcher installs a real game from a Linux seedbox, updates, verifies,
repairs; the seedbox publishes what the one on Linux does."""

import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import zipfile
import zlib

from studio import Seedbox, Studio, assert_installed, builds
from world import ROOT, host, make_tree, run_all

WIN = os.path.join(ROOT, "tests", "scripts", "win")


class Player:
    """A launcher on Windows, whose disk is the scratch folder's `share`."""

    def __init__(self, scratch):
        self.share = scratch("share")
        os.makedirs(self.share)
        subprocess.run([WIN, "stop"], check=True)  # Wine's server would look into the disk of the player before

    def path(self, name):
        return os.path.join(self.share, name)

    def origin(self, studio):
        """Where games come from, for `install`; the trusted root is brought along on the player's disk."""
        name = os.path.basename(studio.root)
        shutil.copy(studio.root, self.path(name))
        return "--repo", studio.url, "--game", studio.game, "--trust", rf"Z:\share\{name}"

    def launcher(self, *arguments, check=True):
        return self.run("launcher.exe", *arguments, check=check)

    def run(self, program, *arguments, check=True):
        command = [WIN, "run", program, *arguments, "--json"]
        env = dict(os.environ, SAMARA_WIN_SHARE=self.share)
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stdout[-800:]}\n{done.stderr[-800:]}")
        return dict(lines[-1] if lines else {}, exit=done.returncode)


def fetched(done):
    return done["bytes_lan"] + done["bytes_peers"] + done["bytes_web"]


def life_of_an_install(scratch):
    """Installed through peers and web, updated, wounded, verified, repaired."""
    old, new = builds("freeciv")[:2]
    address, port = host()
    studio = Studio(scratch, address, port, game="freeciv")
    studio.publish(old, "3.0.6")
    seedbox = Seedbox(address, port, scratch("seedbox"))
    player = Player(scratch)
    game = ("--dir", r"Z:\share\game")
    try:
        seedbox.serve(studio.data)
        installed = player.launcher("install", *player.origin(studio), *game)
        assert_installed(old, player.path("game"), modes=False)
        seedbox.stop()

        studio.publish(new, "3.1.4")
        seedbox = Seedbox(address, port, scratch("seedbox-again"))
        seedbox.serve(studio.data)
        updated = player.launcher("update", *game)
        assert_installed(new, player.path("game"), modes=False)
        assert fetched(updated) < fetched(installed), (installed, updated)

        largest = max(
            (os.path.join(folder, name) for folder, _, names in os.walk(player.path("game")) for name in names
             if ".samara" not in folder), key=os.path.getsize,
        )  # fmt: skip
        with open(largest, "r+b") as file:
            file.seek(50_000)
            file.write(b"a wound")
        found = player.launcher("verify", *game, check=False)
        assert len(found["wounds"]) == 1 and not found["intact"], found
        player.launcher("verify", "--repair", *game)
        assert_installed(new, player.path("game"), modes=False)
        assert player.launcher("verify", *game)["wounds"] == []
    finally:
        seedbox.stop()
    return f"installed in {installed['seconds']} s, updated in {updated['seconds']} s"


def by_one_source(scratch):
    """By peers alone, and by the web seed alone."""
    address, port = host()
    studio = Studio(scratch, address, port)
    make_tree(scratch("game"), seed=4)
    studio.publish(scratch("game"), "1.0")
    seedbox = Seedbox(address, port, scratch("seedbox"))
    player = Player(scratch)
    try:
        seedbox.serve(studio.data)
        for without, other in (("--no-web", "bytes_web"), ("--no-peers", "bytes_peers")):
            folder = without.strip("-")
            done = player.launcher("install", *player.origin(studio), "--dir", rf"Z:\share\{folder}", without)
            assert_installed(scratch("game"), player.path(folder), modes=False)
            assert fetched(done) > 0 and done[other] == 0, done
    finally:
        seedbox.stop()


def the_same_packs(scratch):
    """The same builds, from other folders and with other numbers of threads, are the same torrents and packs."""
    player = Player(scratch)
    data = ("--data", r"Z:\share\data", "--keys", r"Z:\share\keys")
    player.run("seedbox.exe", "init", *data)
    studio = Studio(scratch, *host(), game="freeciv")
    compressed = [scratch(f"compressed {number}") for number in range(2)]
    for number, build in enumerate(compressed):
        make_compressed(build, number)
    # The torrents of programs carry their executable bits, which only Linux's files have: these builds have none.
    sizes = []
    for game, level, releases in ("freeciv", "normal", builds("freeciv")[:2]), ("compressed", "best", compressed):
        studio.game = game
        for number, build in enumerate(releases):
            elsewhere = f"{game} elsewhere {number}"
            shutil.copytree(build, player.path(elsewhere))
            options = ("--game", game, "--release", f"1.{number}", "--level", level)
            there = player.run("seedbox.exe", "publish", rf"Z:\share\{elsewhere}", *data, *options)
            here = studio.publish(build, f"1.{number}", options=("--threads", "1", "--level", level))
            for key in ("info_hash_v1", "info_hash_v2", "info_hash_v1_only", "bytes", "manifest_bytes"):
                assert there[key] == here[key], (key, there[key], here[key])
            assert packs_of(there) == packs_of(here), (packs_of(there), packs_of(here))
            sizes += [pack["bytes"] for pack in here["packs"]]
        assert any(pack["base"] for pack in here["packs"]), here["packs"]
    methods = {method for pack in here["packs"] for method in pack["segments"]}
    assert any(method.startswith("opened") for method in methods), methods
    return f"packs of {', '.join(map(str, sizes))} bytes"


def packs_of(done):
    keys = ("base", "bytes", "index_bytes", "info_hash_v1", "info_hash_v2", "listed", "memory_bytes")
    return [[pack[key] for key in keys] for pack in done["packs"]]


def make_compressed(root, release):
    """A build of what level best treats by its kind: texts, a picture and archives that are deflated, noise."""
    dice = random.Random(7)
    words = [bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(2000)]

    def text(count):
        return b" ".join(dice.choices(words, k=count))

    rows = [[(x * y + dice.randrange(5)) & 255 for x in range(256)] for y in range(256)]
    texts, noise = [text(3000) for _ in range(30)], dice.randbytes(500_000)
    if release:
        texts[11] = texts[11][:5000] + text(40) + texts[11][5000:]
        noise = noise[:1000] + dice.randbytes(3000) + noise[1000:]
        for row in rows[100:120]:
            row[50:90] = row[10:50]
    os.makedirs(root)
    with zipfile.ZipFile(os.path.join(root, "texts.pk3"), "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(texts):
            archive.writestr(zipfile.ZipInfo(f"{number}.txt"), data, zipfile.ZIP_DEFLATED)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 8, 0, 0, 0, 0))
    files = {
        "picture.png": b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b""),
        "map.gz": gzip.compress(b"\n".join(texts), mtime=0),
        "texts.txt": b"\n".join(texts),
        "noise.bin": noise,
    }
    for name, data in files.items():
        with open(os.path.join(root, name), "wb") as file:
            file.write(data)


# What Windows cannot hold, or holds as another name.
BAD_NAMES = ["aux", "COM1.txt", "nul.dat", "a:b", "trailing.", "trailing ", "back\\slash", "bell\x07"]


def refused_names(scratch):
    """Publishing refuses what a player on Windows could not install."""
    studio = Studio(scratch, *host())
    builds = [[name] for name in BAD_NAMES] + [["Data.pak", "data.pak"]]
    for number, names in enumerate(builds):
        build = scratch(f"build {number}")
        os.makedirs(build)
        for name in names:
            with open(os.path.join(build, name), "w") as file:
                file.write("x")
        answer = studio.publish(build, f"1.{number}", check=False)
        assert answer["exit"] != 0 and answer.get("code", "").startswith("E-"), (names, answer)
    return f"{len(builds)} of them"


if __name__ == "__main__":
    cases = [
        ("an install's life", life_of_an_install),
        ("by one source", by_one_source),
        ("the same packs", the_same_packs),
        ("names refused at publish", refused_names),
    ]
    # One after the other: there is one Windows.
    run_all("Windows", cases, workers=1)

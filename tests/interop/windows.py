"""Our programs for Windows, under Wine: the launcher installs a real game from a Linux seedbox, updates, verifies,
repairs, is killed in the middle and goes on; the seedbox publishes what the one on Linux does."""

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import time
import zipfile
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

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

    def start(self, program, *arguments, **streams):
        env = dict(os.environ, SAMARA_WIN_SHARE=self.share)
        nothing = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return subprocess.Popen([WIN, "run", program, *arguments], env=env, text=True, **{**nothing, **streams})

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


KILLS = int(os.environ.get("SAMARA_KILLS", 12))
JOURNALS = ("journal.patch", "journal.clear", "journal.place")
GAME = r"Z:\share\game"


class Holder:
    """Another program on Windows that has files open; what else may be done with them is in `share` (see hold.c)."""

    def __init__(self, player, share, *paths):
        paths = [GAME + "\\" + path.replace("/", "\\") for path in paths]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.child = player.start("/target/hold.exe", share, *paths, **pipes)
        said = self.child.stdout.readline().strip()
        assert said == "holding", (said, paths)

    def close(self):
        self.child.communicate()  # the end of its input
        assert self.child.returncode == 0, self.child.returncode


def build_holder():
    line = "x86_64-w64-mingw32-gcc -municode -O1 -Wall -Werror -o /target/hold.exe /src/tests/interop/hold.c"
    subprocess.run([WIN, "sh", line], check=True)


def kill(child, name):
    """Kills the program on Windows that `child` started; false when it has ended, or not yet begun."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/cmdline", "rb") as words:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                # The shells on the way to it are this process too, for a moment.
                if parent == child.pid and words.read().split(b"\0")[0].endswith(name.encode()):
                    os.kill(int(pid), signal.SIGKILL)
                    return True
        except OSError:
            pass  # it has ended meanwhile
    return False


def tree(root):
    """What lies there: a hash of each file, but for `.samara`."""
    found = {}
    for folder, folders, names in os.walk(root):
        if folder == root and ".samara" in folders:
            folders.remove(".samara")
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.relpath(os.path.join(folder, name), root)] = hashlib.file_digest(file, "sha256").digest()
    return found


def next_build(old, new, number):
    """Another release: changed in places, new, moved, swapped and gone, folders too."""
    shutil.copytree(old, new)
    dice = random.Random(number)
    with open(os.path.join(new, "data/level.pak"), "r+b") as file:
        for _ in range(20):
            file.seek(dice.randrange(6 << 20))
            file.write(dice.randbytes(10))
    for name in ("a", f"act {number}/map.dat"):
        os.makedirs(os.path.dirname(os.path.join(new, name)), exist_ok=True)
        with open(os.path.join(new, name), "wb") as file:
            file.write(dice.randbytes(300_000))
    moves = ("two pieces", "aside"), ("100% + more & #.dat", "two pieces"), ("aside", "100% + more & #.dat")
    for source, to in moves:
        os.rename(os.path.join(new, source), os.path.join(new, to))
    shutil.rmtree(os.path.join(new, f"act {number - 1}"), ignore_errors=True)


class Killed:
    """One install that is updated and killed."""

    def __init__(self, scratch, seedbox, address, port):
        self.scratch, self.release = scratch, 0
        self.seed = int(os.environ.get("SAMARA_SEED", random.randrange(1 << 32)))
        self.dice = random.Random(self.seed)
        self.studio = Studio(scratch, address, port)
        self.player = Player(scratch)
        self.game = self.player.path("game")
        self.kills, self.refused = Counter(), Counter()
        make_tree(scratch("build 0"), seed=4)
        self.publish()
        seedbox.serve(self.studio.data)
        self.player.launcher("install", *self.player.origin(self.studio), "--dir", GAME)
        os.makedirs(self.player.path("game/saves"))
        with open(self.player.path("game/saves/one.sav"), "w") as file:
            file.write("won")
        self.whole = 4.0  # seconds that an update takes
        self.awake = Holder(self.player, "r")  # holds nothing, and Wine awake: its start takes longer than ours

    def publish(self):
        build = self.scratch(f"build {self.release}")
        self.studio.publish(build, f"1.{self.release}", options=("--base", "none", "--full", "never"))

    def update(self, check=True):
        return self.player.launcher("update", "--no-peers", "--dir", GAME, check=check)

    def committed(self):
        return any(os.path.exists(f"{self.game}/.samara/{name}") for name in JOURNALS)

    def hold(self, path):
        # Written in place, it is in nobody's way when others may write.
        share = "r" if path == "data/level.pak" else self.dice.choice(("r", "rw"))
        return Holder(self.player, share, path)

    def kill_once(self, old, new):
        """Whether the new release is there."""
        dice = self.dice
        moment = dice.choice((*JOURNALS, "any time", "any time"))
        held = "before" if moment == "any time" and dice.random() < 0.25 else ""
        holder = self.hold(dice.choice(sorted(old))) if held else None
        end = time.monotonic() + (60 if moment in JOURNALS else dice.uniform(0.3, self.whole))
        child = self.player.start("launcher.exe", "update", "--no-peers", "--json", "--dir", GAME)
        journal = f"{self.game}/.samara/{moment}"
        while child.poll() is None and time.monotonic() < end and not os.path.exists(journal):
            time.sleep(0.0005)  # between two looks, so that Wine has a processor, too
        if kill(child, "launcher.exe"):
            self.kills[f"{moment}, held {held}" if held else moment] += 1
        child.wait()
        what = (self.seed, sum(self.kills.values()), moment, held)
        if holder:
            holder.close()
        elif dice.random() < 0.5:
            self.go_on_while_held(what, old, new)
        looked = self.player.launcher("verify", "--quick", "--dir", GAME)
        found = tree(self.game)
        assert looked["intact"] and found in (old, new), (what, looked, differing(found, old), differing(found, new))
        return found == new

    def go_on_while_held(self, what, old, new):
        """Another program opens a file that is still to be changed: the next start says so, and touches no more."""
        before = tree(self.game)
        if not (left := sorted(path for path in before if before[path] != new.get(path))):
            return
        committed, path = self.committed(), self.dice.choice(left)
        holder = self.hold(path)
        done = self.update(check=False)
        found = tree(self.game)
        what = (*what, path, done)
        assert done["exit"] != 0 and path in done["message"] and "Close" in done["advice"], what
        assert done["code"] in (["E-DISK-LOCKED", "E-APPLY-UNFINISHED"] if committed else ["E-DISK-LOCKED"]), what
        # Beyond the commit there is no way but forward, and that has to wait for the other program.
        assert self.committed() or found == old, (what, differing(found, old))
        self.refused[f"{done['code']} {'after' if committed else 'before'} the commit"] += 1
        holder.close()

    def round(self):
        """From one release to the next, killed on the way."""
        self.release += 1
        builds = [self.scratch(f"build {number}") for number in (self.release - 1, self.release)]
        next_build(*builds, self.release)
        self.publish()
        old = tree(self.game)
        new = dict(tree(builds[1]), **{"saves/one.sav": old["saves/one.sav"]})
        shutil.rmtree(builds[0])
        for _ in range(8):
            if sum(self.kills.values()) >= KILLS:
                break
            if self.kill_once(old, new):
                return  # the next one begins from what this one has left
        start = time.monotonic()
        self.update()
        self.whole = max(1.0, time.monotonic() - start)
        assert tree(self.game) == new


def differing(one, other):
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def killed_anywhere(scratch):
    """Updates killed at random moments and in the middle of the commit, other programs in the way: one whole release."""
    address, port = host()
    build_holder()
    seedbox = Seedbox(address, port, scratch("seedbox"))
    try:
        world = Killed(scratch, seedbox, address, port)
        while sum(world.kills.values()) < KILLS:
            world.round()
        assert world.player.launcher("verify", "--dir", GAME)["intact"]
        world.awake.close()
    finally:
        seedbox.stop()
    count = sum(world.kills.values())
    return f"{count} kills in {world.release} updates (SAMARA_SEED={world.seed}): {dict(world.kills)}; {dict(world.refused)}"


def held_open(scratch):
    """What another program has open: it is named, nothing changes; once it is closed the update goes on."""
    address, port = host()
    build_holder()
    studio = Studio(scratch, address, port)
    make_tree(scratch("build 0"), seed=4)
    for number in (1, 2):
        next_build(scratch(f"build {number - 1}"), scratch(f"build {number}"), number)
    seedbox = Seedbox(address, port, scratch("seedbox"))
    player = Player(scratch)
    game = ("--dir", GAME, "--no-peers")
    try:
        studio.publish(scratch("build 1"), "1.1")
        seedbox.serve(studio.data)
        player.launcher("install", *player.origin(studio), *game)
        studio.publish(scratch("build 2"), "1.2")
        before = tree(player.path("game"))
        # Patched in place, replaced, moved, gone; by a program that lets others write to it, and by one that does not.
        held = ("r", "data/level.pak"), ("rw", "data/level.pak"), ("rw", "a"), ("rw", "two pieces"), ("rw", "act 1/map.dat")
        for share, path in held:
            holder = Holder(player, share, path)
            failed = player.launcher("update", *game, check=False)
            assert failed["exit"] != 0 and failed["code"] == "E-DISK-LOCKED", (share, path, failed)
            assert path in failed["message"] and "Close" in failed["advice"], (share, path, failed)
            assert tree(player.path("game")) == before, (share, path)
            holder.close()
        # What stays as it is, what others may rename, and a folder that goes, are in nobody's way.
        holders = Holder(player, "r", "block"), Holder(player, "rwd", "a"), Holder(player, "rw", "act 1")
        player.launcher("update", *game)
        assert tree(player.path("game")) == tree(scratch("build 2"))
        for holder in holders:
            holder.close()
        assert player.launcher("verify", *game[:2])["intact"]
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
            # One full pack of each game says as much as two.
            options = ("--level", level, "--full", "never" if number else "always")
            named = ("--game", game, "--release", f"1.{number}", *options)
            with ThreadPoolExecutor(1) as beside:
                there = beside.submit(player.run, "seedbox.exe", "publish", rf"Z:\share\{elsewhere}", *data, *named)
                here = studio.publish(build, f"1.{number}", options=("--threads", "1", *options))
                there = there.result()
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
        ("killed anywhere", killed_anywhere),
        ("a file held open", held_open),
        ("the same packs", the_same_packs),
        ("names refused at publish", refused_names),
    ]
    # One after the other: there is one Windows.
    run_all("Windows", cases, workers=1)

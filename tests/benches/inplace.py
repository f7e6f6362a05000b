"""An update that changes 10 bytes in each of 100 places of a file of 4 GiB, against copying that file once
(`cp --sparse=never --reflink=never` and fsync), in one run: what is written to the disk by the operating system's own
accounting, the space taken on the way, and wall time.

    cargo build --profile demo -p seedbox -p launcher && $(tests/scripts/python) tests/benches/inplace.py [--json]

The places are drawn from a printed seed, each in a 16 KiB block of its own. Then the same with 1,000 places. Where the
launcher can, it goes back and forward again without the server. The builds and the seedbox's copies are made sparse, and
so is the install: a sparse copy of the old build is adopted. The copy that is timed takes its 4 GiB. `--loop` installs on an
ext4 of its own in a loop-mounted file (needs root), whose /sys/block/*/stat then also says what reached the device.
`--world DIR` keeps builds and repository there for the next run."""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")
BLOCK = 16 << 10
NAME = "game/data.pak"
BASIS = 64 << 20  # of the file is not zeros: content to copy from, so that blocks differ


def program(name):
    return os.path.join(TARGET, "demo", name)


def say(*text):
    print(*text, file=sys.stderr, flush=True)


class Watch(threading.Thread):
    """Most blocks allocated below a folder, over what it had at the start."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.ended, self.most = folder, threading.Event(), 0
        self.before = self.now()

    def now(self):
        total = 0
        for at, _, names in os.walk(self.folder):
            for name in names:
                try:
                    total += os.lstat(os.path.join(at, name)).st_blocks * 512
                except OSError:
                    pass
        return total

    def run(self):
        while not self.ended.wait(0.01):
            self.most = max(self.most, self.now() - self.before)

    def end(self):
        self.ended.set()
        self.join()
        return max(self.most, self.now() - self.before)


def run(command, folder=None, device=None, cold=False):
    """Runs a command to its end: a table of what it took and what it said."""
    os.sync()
    if cold:
        with open("/proc/sys/vm/drop_caches", "w") as caches:
            caches.write("1")
    watch = folder and Watch(folder)
    sectors = device and written_to(device)
    if watch:
        watch.start()
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, complaint = child.stdout.read(), child.stderr.read()
    # Not yet waited for: its accounts can still be read.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    wall = time.monotonic() - start
    io = dict(line.split(": ") for line in open(f"/proc/{child.pid}/io").read().splitlines())
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command} failed: {complaint.decode()[-2000:]}")
    took = {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "written": usage.ru_oublock * 512,
            "write_bytes": int(io["write_bytes"]), "temp": watch.end() if watch else None}
    if device:
        os.sync()
        took["device_written"] = written_to(device) - sectors
    return took, said.decode()


def written_to(device):
    return int(open(f"/sys/block/{device}/stat").read().split()[6]) * 512


def make(path, size, seed):
    """A file of zeros with noise at its beginning."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    noise = random.Random(seed)
    with open(path, "wb") as file:
        file.truncate(size)
        for _ in range(BASIS >> 20):
            file.write(noise.randbytes(1 << 20))


def change(path, places, seed):
    """Other bytes, ten in each of so many blocks."""
    draw = random.Random(seed)
    with open(path, "r+b") as file:
        blocks = os.fstat(file.fileno()).st_size // BLOCK
        for block in sorted(draw.sample(range(blocks), places)):
            at = block * BLOCK + draw.randrange(BLOCK - 10)
            file.seek(at)
            old = file.read(10)
            file.seek(at)
            file.write(bytes((byte + 1 + draw.randrange(255)) % 256 for byte in old))


class Seedbox:
    def __init__(self, folder):
        self.data, self.keys = os.path.join(folder, "data"), os.path.join(folder, "keys")
        self.process = None
        self.is_new = not os.path.exists(self.data)
        if self.is_new:
            subprocess.run([program("seedbox"), "init", "--data", self.data, "--keys", self.keys], check=True,
                           stdout=subprocess.DEVNULL)
        self.root = os.path.join(self.data, "public/metadata/root.json")

    def publish(self, build, version, level):
        took, _ = run([program("seedbox"), "publish", build, "--data", self.data, "--keys", self.keys, "--game", "big",
                       "--release", version, "--level", level])
        for at, _, names in os.walk(os.path.join(self.data, "public")):
            for name in names:
                if os.path.getsize(os.path.join(at, name)) > 1 << 30:
                    subprocess.run(["fallocate", "--dig-holes", os.path.join(at, name)], check=True)
        say(f"published {version}: {took['wall_s']:.1f} s")

    def start(self):
        self.process = subprocess.Popen(
            [program("seedbox"), "--json", "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--peer-listen",
             "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = f"http://{json.loads(self.process.stdout.readline())['http']}/"

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


def copy(path, to):
    start = time.monotonic()
    subprocess.run(["cp", "--sparse=never", "--reflink=never", path, to], check=True)
    with open(to, "rb") as file:
        os.fsync(file.fileno())
    wall = time.monotonic() - start
    os.remove(to)
    return wall


def mount(folder, size):
    image, at = os.path.join(folder, "disk.img"), os.path.join(folder, "disk")
    os.mkdir(at)
    with open(image, "wb") as file:
        file.truncate(size + (size >> 2) + (1 << 30))
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", image], check=True)
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    subprocess.run(["mount", device, at], check=True)
    return at, device


def measure(folder, arguments, places):
    world = os.path.join(arguments.world, str(places)) if arguments.world else folder
    os.makedirs(world, exist_ok=True)
    size, old, new = int(arguments.gib * (1 << 30)), os.path.join(world, "old"), os.path.join(world, "new")
    seed = f"{arguments.seed}-{places}"
    seedbox, device, disk = Seedbox(world), None, folder
    if seedbox.is_new:
        for build in (old, new):
            make(os.path.join(build, NAME), size, arguments.seed)
        change(os.path.join(new, NAME), places, seed)
        seedbox.publish(old, "1", arguments.level)
        seedbox.publish(new, "2", arguments.level)
    if arguments.loop:
        disk, device = mount(folder, size)
    block = device and os.path.basename(device)
    try:
        install = os.path.join(disk, "install")
        common = ["--listen", "127.0.0.1:0"]
        seedbox.start()
        figures = {"places": places, "seed": seed, "limit": 3 * places * BLOCK + (1 << 20)}
        update = [program("launcher"), "--json", "update", "--dir", install, *common, *arguments.option]
        hidden = os.path.join(install, ".samara")
        rounds, copies = [], []
        for _ in range(arguments.rounds):
            shutil.rmtree(install, ignore_errors=True)
            subprocess.run(["cp", "-r", "--sparse=always", old, install], check=True)
            run([program("launcher"), "--json", "install", "--repo", seedbox.url, "--trust", seedbox.root, "--game",
                 "big", "--dir", install, "--release", "1", "--adopt", *common])
            took, said = run(update, hidden, block, arguments.cold)
            rounds.append(took)
            # In turns: on a shared machine both meet the same neighbours.
            copies.append(copy(os.path.join(install, NAME), os.path.join(disk, "copy")))
        rounds.sort(key=lambda took: took["wall_s"])
        figures["update"], figures["walls"] = rounds[len(rounds) // 2], [took["wall_s"] for took in rounds]
        figures["done"] = json.loads(said.splitlines()[-1])
        same(new, install)
        figures["cp_s"] = sorted(copies)
        help_text = subprocess.run([program("launcher"), "--help"], stdout=subprocess.PIPE, text=True).stdout
        if re.search(r"^\s+rollback\b", help_text, re.M):
            seedbox.stop()
            figures["rollback"], _ = run([program("launcher"), "--json", "rollback", "--dir", install], hidden, block,
                                         arguments.cold)
            same(old, install)
            seedbox.start()
            moved(install, seedbox.url)
            figures["again"], said = run(update, hidden, block, arguments.cold)
            done = json.loads(said.splitlines()[-1])
            figures["again"]["network"] = sum(done[f"bytes_{way}"] for way in ("lan", "peers", "web"))
            same(new, install)
        return figures
    finally:
        seedbox.stop()
        if device:
            subprocess.run(["umount", disk])
            subprocess.run(["losetup", "--detach", device])


def moved(install, url):
    """The seedbox has another port after it was started again."""
    path = os.path.join(install, ".samara/source.json")
    record = json.load(open(path))
    record["repo"] = url
    with open(path, "w") as file:
        json.dump(record, file)


def same(build, install):
    if subprocess.run(["cmp", os.path.join(build, NAME), os.path.join(install, NAME)]).returncode:
        raise SystemExit("the install differs from the build")


def report(figures):
    update, cp = figures["update"], figures["cp_s"][len(figures["cp_s"]) // 2]
    print(f"\n{figures['places']} places of 10 bytes, seed {figures['seed']}")
    for name, walls in (("update", figures["walls"]), ("cp and fsync", figures["cp_s"])):
        print(f"{name}, wall s of each round: " + ", ".join(f"{wall:.3f}" for wall in walls) + "; below, the median")
    print(f"{'':10} {'wall s':>8} {'of cp':>7} {'CPU-s':>7} {'written':>11} {'of limit':>9} {'temp':>11}")
    for name in ("update", "rollback", "again"):
        if took := figures.get(name):
            written = max(took["written"], took["write_bytes"])
            print(f"{name:10} {took['wall_s']:8.3f} {took['wall_s'] / cp:7.1%} {took['cpu_s']:7.2f} {written:11,} "
                  f"{written / figures['limit']:9.1%} {took['temp']:11,}"
                  + (f"  device {took['device_written']:,}" if "device_written" in took else "")
                  + (f"  network {took['network']:,}" if "network" in took else ""))
    kept = [("written", max(update["written"], update["write_bytes"]) <= figures["limit"]),
            ("temp", update["temp"] <= 64 << 20), ("wall", update["wall_s"] <= cp * 0.05)]
    print("limits: " + ", ".join(f"{name} {'kept' if held else 'NOT KEPT'}" for name, held in kept))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--level", default="normal", help="of the packs")
    parser.add_argument("--rounds", type=int, default=5, help="updates, each of a fresh install, and copies in turns with them")
    parser.add_argument("--option", action="append", default=[], help="one more for `launcher update`")
    parser.add_argument("--loop", action="store_true")
    parser.add_argument("--cold", action="store_true", help="empty the page cache before each command (needs root)")
    parser.add_argument("--json", action="store_true", help="one object a line instead of the table")
    parser.add_argument("--world", help="a folder that keeps builds and repository")
    parser.add_argument("--dir", help="a folder on the disk to measure; default: the temporary folder")
    arguments = parser.parse_args()
    for places in arguments.places:
        with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="samara-inplace-") as folder:
            figures = measure(folder, arguments, places)
        print(json.dumps(figures), flush=True) if arguments.json else report(figures)


if __name__ == "__main__":
    main()

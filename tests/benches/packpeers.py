"""The programs that make patches, besides us: how each is called, what it cost, and whether its patch really applies.

What was measured is kept (`Peers.path`) by pair, tool and the tool's version, so that only ours need run again."""

import hashlib
import json
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "../scripts")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "samara-tests/packs")

# What zstd may take for its window: 2 GiB, the most it can, and where `--patch-from` stops.
ZSTD_LIMIT = 2 << 30


@dataclass
class Ran:
    wall: float
    cpu: float
    # The most memory resident at once, in bytes. The floor is what this program had when it started the other.
    peak: int
    said: str


def run(command, nice=0, **kwargs):
    """Runs a command to its end and tells what it cost, threads and children included."""
    start = time.monotonic()
    if nice:
        command = ["nice", f"-n{nice}", *command]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaint:
        child = subprocess.Popen(command, stdout=said, stderr=complaint, stdin=subprocess.DEVNULL, **kwargs)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            complaint.seek(0)
            said.seek(0)
            words = (complaint.read() + said.read()[-500:]).decode(errors="replace")[-1500:]
            raise RuntimeError(f"{' '.join(command[:4])} … failed ({child.returncode}): {words}")
        said.seek(0)
        return Ran(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024,
                   said.read().decode(errors="replace"))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Pair:
    """Two releases of a game, as folders and as tars of them."""

    name: str
    game: str
    old: str
    new: str
    old_dir: str = ""
    new_dir: str = ""

    @property
    def key(self):
        return f"{self.game} {self.old} {self.new}"

    def tar(self, which):
        """A tar of the release in which nothing but names, modes and contents is told; made when missing."""
        folder, version = (self.old_dir, self.old) if which == "old" else (self.new_dir, self.new)
        out = os.path.join(CACHE, f"{self.game}-{version}.tar")
        if not os.path.exists(out):
            os.makedirs(CACHE, exist_ok=True)
            subprocess.run(["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner",
                            "--format=gnu", "-cf", out + ".part", "-C", folder, "."], check=True)
            os.rename(out + ".part", out)
        return out


@dataclass
class Tool:
    name: str
    version: str
    # From (old, new, patch) and (old, patch, out) to a command.
    create: object
    apply: object
    # The memory it takes to create, from the sizes of old and new; above half of what is free it is not run.
    memory: object = field(default=lambda old, new: 0)
    # It compares folders, not tars.
    folders: bool = False


def log2_above(size):
    return max(27, (size - 1).bit_length())


def zstd(level, version):
    def create(old, new, patch):
        # The window must hold all of old; below 128 MiB that is so without a word.
        bits = log2_above(max(os.path.getsize(old), os.path.getsize(new)))
        long = [f"--long={min(bits, 31)}"] if bits > 27 else []
        return ["zstd", "-q", "-f", "-T1", f"-{level}", *long, f"--patch-from={old}", new, "-o", patch]

    def apply(old, patch, out):
        return ["zstd", "-q", "-d", "-f", "--long=31", f"--patch-from={old}", patch, "-o", out]

    return Tool(f"zstd -{level}", version, create, apply, lambda old, new: 3 * (old + new))


def xdelta(version):
    def window(old):
        # The whole of the old file is the source window, in the power of two it asks for.
        return f"-B{1 << max(20, (os.path.getsize(old) - 1).bit_length())}"

    return Tool(
        "xdelta3 -9", version,
        lambda old, new, patch: ["xdelta3", "-q", "-f", "-e", "-9", "-S", "lzma", window(old), "-W", str(16 << 20),
                                 "-s", old, new, patch],
        lambda old, patch, out: ["xdelta3", "-q", "-f", "-d", window(old), "-s", old, patch, out],
        lambda old, new: 2 * old)


def hdiff(folder, mode, codec, folders=False):
    """HDiffPatch in memory (-m) or as a stream (-s), with one thread: more make it faster, not cheaper."""
    options = {"lzma2": "-c-lzma2-9-64m", "zstd": "-c-zstd-20-26"}[codec]
    version = os.path.basename(folder)
    return Tool(
        f"HDiffPatch {mode} {codec}{' folders' if folders else ''}", f"{version} {options}",
        lambda old, new, patch: [os.path.join(folder, "hdiffz"), "-f", mode, "-p-1", options, old, new, patch],
        lambda old, patch, out: [os.path.join(folder, "hpatchz"), "-f", old, patch, out],
        lambda old, new: 6 * old + new if mode.startswith("-m") else 0, folders)


def version_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return re.search(r"\d+\.\d+[\w.]*", done.stdout).group()


def tools():
    """Every peer, the cheap ones first."""
    subprocess.run([os.path.join(SCRIPTS, "apt-install"), "zstd", "xdelta3", "bsdiff"], check=True,
                   stdout=subprocess.DEVNULL)
    built = subprocess.run([os.path.join(SCRIPTS, "hdiffpatch")], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.strip()
    zstd_version = version_of("zstd", "--version")
    bsdiff = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "bsdiff"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout
    return [
        zstd(3, zstd_version), zstd(9, zstd_version),
        hdiff(built, "-s-64", "zstd"), hdiff(built, "-s-64", "zstd", folders=True),
        xdelta(version_of("xdelta3", "-V")),
        hdiff(built, "-s-64", "lzma2"), hdiff(built, "-m-6", "lzma2"), hdiff(built, "-m-6", "zstd"),
        hdiff(built, "-m-6", "lzma2", folders=True),
        zstd(19, zstd_version),
        Tool("bsdiff", bsdiff, lambda old, new, patch: ["bsdiff", old, new, patch],
             lambda old, patch, out: ["bspatch", old, out, patch], lambda old, new: 17 * old + new),
    ]


class Peers:
    def __init__(self, fresh=(), nice=0, path=os.path.join(CACHE, "peers.json")):
        self.path, self.fresh, self.nice = path, set(fresh), nice
        self.known = json.load(open(path)) if os.path.exists(path) else {}

    def key(self, pair, tool):
        return f"{pair.key} | {tool.name} | {tool.version}"

    def wants(self, tool):
        return "all" in self.fresh or tool.name in self.fresh

    def figures(self, pair, tool, may_run=True):
        """What the tool did with the pair: kept, or measured now. None where it was not measured and may not be."""
        key = self.key(pair, tool)
        if key not in self.known and os.path.exists(self.path):
            # Another run may have measured it since.
            self.known = {**json.load(open(self.path)), **self.known}
        if key in self.known and not self.wants(tool):
            return self.known[key]
        if not may_run:
            return None
        try:
            done = self.measure(pair, tool)
        except RuntimeError as error:
            # Shown, not kept: the next run tries again, and the other tools have their turn.
            return {"skipped": str(error).replace("\n", " ")}
        # Another run may have added its own in the meantime.
        if os.path.exists(self.path):
            self.known = {**json.load(open(self.path)), **self.known}
        self.known[key] = done
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".part", "w") as file:
            json.dump(self.known, file, indent=1)
        os.rename(self.path + ".part", self.path)
        return done

    def measure(self, pair, tool):
        old_tar, new_tar = pair.tar("old"), pair.tar("new")
        sizes = os.path.getsize(old_tar), os.path.getsize(new_tar)
        if tool.name.startswith("zstd") and max(sizes) > ZSTD_LIMIT:
            return {"skipped": "above 2 GiB"}
        need, free = tool.memory(*sizes), memory_available()
        if need > free // 2:
            return {"skipped": f"needs {need / 1e9:.1f} GB of memory"}
        old, new = (pair.old_dir, pair.new_dir) if tool.folders else (old_tar, new_tar)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="run-") as folder:
            patch, out = os.path.join(folder, "patch"), os.path.join(folder, "out")
            # Both inputs come from the page cache, for every tool alike.
            warm(old_tar, new_tar)
            created = run(tool.create(old, new, patch), self.nice)
            applied = run(tool.apply(old, patch, out), self.nice)
            check_same(new, out)
            return {"bytes": os.path.getsize(patch), "create_cpu": created.cpu, "create_wall": created.wall,
                    "create_peak": created.peak, "apply_cpu": applied.cpu, "apply_peak": applied.peak,
                    "applies": True}


def check_same(new, out):
    if os.path.isdir(new):
        # Folders of the build that hold nothing and dates are not part of what a patch has to rebuild.
        same = subprocess.run(["diff", "-r", "--no-dereference", new, out], stdout=subprocess.DEVNULL).returncode == 0
    else:
        same = digest(new) == digest(out)
    if not same:
        raise SystemExit(f"what the patch rebuilt differs from {new}")


def warm(*paths):
    for path in paths:
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass


def memory_available():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) * 1024
    return 0


def builds(game):
    """The folders of a game's releases, by version."""
    said = subprocess.run([os.path.join(SCRIPTS, "builds"), game], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {os.path.basename(path): path for path in said.split()}

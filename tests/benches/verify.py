"""How fast an install is checked: `launcher verify` on a real game (supertuxkart 1.5, 0.8 GB) against a bare loop that
hashes the same files on all cores and does nothing else, and `launcher verify --quick` on 20,000 files.

    cargo build --profile demo -p samara-tests -p seedbox -p launcher --bins
    $(tests/scripts/python) tests/benches/verify.py [--runs N] [--profile demo] [--json] [--dir DIR] [GAME]

Whole processes are timed, from start to end. All files are in the page cache for both, so it is the processor that is
measured: the loop (`tests/src/bin/hashloop.rs`) reads with plain `read` and computes the same SHA-256 of 16 KiB blocks,
one after the other with the processor's SHA instructions; verify hashes sixteen side by side where there is AVX-512,
which is why it can be faster than the loop. Loop and verify take turns; medians are compared."""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")
FILES = 20_000
QUICK_LIMIT_MS = 150
RATIO_LIMIT = 0.8


def measured(command):
    """Runs a command to its end: wall seconds, CPU-seconds, its last line of standard output as JSON."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, complaint = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command} failed: {said.decode()[-500:]} {complaint.decode()[-2000:]}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, json.loads(said.splitlines()[-1])


class World:
    """A repository with one release, and an install of it. The seedbox ends once it is installed."""

    def __init__(self, folder, programs, game, build):
        self.install, data, keys = (os.path.join(folder, name) for name in ("install", "data", "keys"))
        seedbox, launcher = (os.path.join(programs, name) for name in ("seedbox", "launcher"))
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([seedbox, "init", "--data", data, "--keys", keys], **quiet)
        subprocess.run([seedbox, "publish", build, "--data", data, "--keys", keys, "--game", game, "--release", "1",
                        "--base", "none", "--full", "never"], **quiet)
        serving = subprocess.Popen([seedbox, "--json", "serve", "--data", data, "--listen", "127.0.0.1:0",
                                    "--peer-listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            url = f"http://{json.loads(serving.stdout.readline())['http']}/"
            subprocess.run([launcher, "--json", "install", "--repo", url, "--trust",
                            os.path.join(data, "public/metadata/root.json"), "--game", game, "--dir", self.install,
                            "--listen", "127.0.0.1:0"], **quiet)
        finally:
            serving.terminate()
            serving.wait()


def make_many(folder):
    """20,000 small files in 400 folders."""
    source = random.Random(4)
    for at in range(FILES):
        place = os.path.join(folder, f"data/region-{at % 20:02}/area-{at // 20 % 20:02}")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, f"asset-{at:05}.bin"), "wb") as file:
            file.write(source.randbytes(source.randrange(100, 3000)))


def full(arguments, programs):
    builds = subprocess.run([os.path.join(HERE, "../scripts/builds"), arguments.game], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split()
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="samara-verify-") as folder:
        world = World(folder, programs, arguments.game, builds[-1])
        loop = [os.path.join(programs, "hashloop"), world.install]
        verify = [os.path.join(programs, "launcher"), "--json", "verify", "--dir", world.install, "--no-peers"]
        figures = {"loop": [], "verify": []}
        for run in range(arguments.runs + 1):
            for name, command in (("loop", loop), ("verify", verify)):
                wall, cpu, said = measured(command)
                size = said["bytes" if name == "loop" else "bytes_checked"]
                if name == "verify" and not said["intact"]:
                    raise SystemExit(f"the install is not intact: {said}")
                if run:  # the first round only fills the page cache
                    figures[name].append((wall, cpu, size))
    sizes = {size for runs in figures.values() for _, _, size in runs}
    if len(sizes) != 1:
        raise SystemExit(f"not the same bytes: {sizes}")
    size = sizes.pop()
    medians = {name: [statistics.median(part) for part in zip(*runs)] for name, runs in figures.items()}
    return {"game": arguments.game, "bytes": size, "runs": arguments.runs,
            **{f"{name}_mb_s": size / 1e6 / medians[name][0] for name in medians},
            **{f"{name}_wall_s": medians[name][0] for name in medians},
            **{f"{name}_cpu_s": medians[name][1] for name in medians},
            "ratio": medians["loop"][0] / medians["verify"][0],
            "ratio_cpu": medians["loop"][1] / medians["verify"][1]}


def quick(arguments, programs):
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="samara-verify-") as folder:
        build = os.path.join(folder, "build")
        make_many(build)
        world = World(folder, programs, "many", build)
        verify = [os.path.join(programs, "launcher"), "--json", "verify", "--quick", "--dir", world.install]
        runs = []
        for run in range(2 * arguments.runs + 1):
            wall, cpu, said = measured(verify)
            if not said["intact"] or said["files_checked"] != FILES:
                raise SystemExit(f"not what was installed: {said}")
            if run:
                runs.append((wall * 1000, cpu * 1000))
        # It must see something, too.
        os.utime(os.path.join(world.install, "data/region-00/area-00/asset-00000.bin"), (1, 1))
        damaged = subprocess.run(verify, stdout=subprocess.PIPE, check=False)
        wounds = json.loads(damaged.stdout.splitlines()[-1])["wounds"]
        if damaged.returncode != 3 or [wound["kind"] for wound in wounds] != ["changed"]:
            raise SystemExit(f"the changed file was not named: {wounds}")
    wall, cpu = zip(*runs)
    return {"files": FILES, "runs": len(runs), "quick_wall_ms": statistics.median(wall),
            "quick_wall_ms_min": min(wall), "quick_wall_ms_max": max(wall), "quick_cpu_ms": statistics.median(cpu)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", nargs="?", default="supertuxkart")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--dir", help="a folder on the disk to measure; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    programs = os.path.join(TARGET, arguments.profile)
    found = {**quick(arguments, programs), **full(arguments, programs)}
    good = found["ratio"] >= RATIO_LIMIT and found["quick_wall_ms"] < QUICK_LIMIT_MS
    found["within_limits"] = good
    if arguments.json:
        print(json.dumps(found))
    else:
        print(f"{found['game']}, {found['bytes'] / 1e6:.0f} MB, {os.cpu_count()} cores, medians of {found['runs']}")
        for name in ("loop", "verify"):
            print(f"  {name:7} {found[name + '_mb_s']:7.0f} MB/s  {found[name + '_wall_s']:6.3f} s wall  "
                  f"{found[name + '_cpu_s']:6.3f} CPU-s")
        print(f"  verify at {found['ratio']:.1%} of the loop's throughput (CPU-seconds: {found['ratio_cpu']:.1%}); "
              f"wanted {RATIO_LIMIT:.0%}")
        print(f"quick verify of {FILES} files: {found['quick_wall_ms']:.0f} ms wall (from {found['quick_wall_ms_min']:.0f} "
              f"to {found['quick_wall_ms_max']:.0f}), {found['quick_cpu_ms']:.0f} CPU-ms; wanted below {QUICK_LIMIT_MS} ms")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

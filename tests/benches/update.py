"""A real game's update, supertuxkart 1.4 -> 1.5 (0.8 GB): our launcher against `rsync` copying the changed files,
in the same run, wall time and CPU-seconds of the process that does the work.

    cargo build --release -p seedbox -p launcher && $(tests/scripts/python) tests/benches/update.py [--runs N] [GAME]

rsync gets both trees on the same disk, so it downloads nothing; it compares either by size and time (`quick`) or by
content (`checksum`), which is closer to what the launcher vouches for. The launcher fetches the changed files from a
seedbox on loopback, checks each block against signed hashes, journals and syncs. The seedbox's CPU is printed beside."""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")


def program(name):
    return os.path.join(TARGET, "release", name)


def measured(command, **kwargs):
    """Runs a command to its end: wall seconds, CPU-seconds, standard output."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    said, complaint = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed: {complaint.decode()[-2000:]}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, said.decode()


def cpu_of(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Seedbox:
    def __init__(self, folder, game):
        self.data, self.keys, self.game = os.path.join(folder, "data"), os.path.join(folder, "keys"), game
        subprocess.run([program("seedbox"), "init", "--data", self.data, "--keys", self.keys], check=True,
                       stdout=subprocess.DEVNULL)

    def publish(self, build, version):
        return measured([program("seedbox"), "publish", build, "--data", self.data, "--keys", self.keys, "--game",
                         self.game, "--release", version])

    def __enter__(self):
        self.process = subprocess.Popen(
            [program("seedbox"), "--json", "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--peer-listen",
             "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        said = json.loads(self.process.stdout.readline())
        self.url = f"http://{said['http']}/"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", nargs="?", default="supertuxkart")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", help="a folder on the disk to measure; default: the temporary folder")
    arguments = parser.parse_args()
    subprocess.run([os.path.join(HERE, "../scripts/apt-install"), "rsync"], check=True, stdout=subprocess.DEVNULL)
    builds = subprocess.run([os.path.join(HERE, "../scripts/builds"), arguments.game], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split()[:2]
    figures = {}
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="samara-update-") as folder:
        seedbox = Seedbox(folder, arguments.game)
        wall, cpu, _ = seedbox.publish(builds[0], "old")
        print(f"publish old: {wall:.1f} s, {cpu:.1f} CPU-s")
        for run in range(arguments.runs):
            install = os.path.join(folder, f"install-{run}")
            # The channel points at the old release only until the new one is published, so later runs name it.
            with seedbox:
                which = [] if run == 0 else ["--release", "old"]
                one_run(folder, seedbox, builds, install, which, run, figures)
    report(figures)


def one_run(folder, seedbox, builds, install, which, run, figures):
    root = os.path.join(seedbox.data, "public/metadata/root.json")
    wall, cpu, _ = measured([program("launcher"), "--json", "install", "--repo", seedbox.url, "--trust", root,
                             "--game", seedbox.game, "--dir", install, "--listen", "127.0.0.1:0", *which])
    figures.setdefault("launcher install", []).append((wall, cpu))
    if run == 0:
        wall, cpu, _ = seedbox.publish(builds[1], "new")
        print(f"publish new: {wall:.1f} s, {cpu:.1f} CPU-s")
    for mode, options in (("quick", []), ("checksum", ["--checksum"])):
        copy = os.path.join(folder, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run(["cp", "-a", builds[0], copy], check=True)
        os.sync()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        subprocess.run(["rsync", "-a", "--delete", "--whole-file", "--fsync", *options, builds[1] + "/", copy],
                       check=True)
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures.setdefault(f"rsync {mode}", []).append((wall, cpu))
        shutil.rmtree(copy)
    os.sync()
    served = cpu_of(seedbox.process)
    wall, cpu, said = measured([program("launcher"), "--json", "update", "--dir", install, "--listen", "127.0.0.1:0"])
    figures.setdefault("launcher update", []).append((wall, cpu))
    figures.setdefault("seedbox during update", []).append((wall, cpu_of(seedbox.process) - served))
    done = json.loads(said.splitlines()[-1])
    print(f"run {run + 1}: " + ", ".join(f"{name} {done[name] / 1e6:.1f} MB" for name in (
        "bytes_local", "bytes_peers", "bytes_web", "bytes_written", "temp_bytes_peak")))
    differences = subprocess.run(["diff", "-r", "--exclude=.samara", builds[1], install])
    if differences.returncode:
        raise SystemExit("the install differs from the build")
    shutil.rmtree(install)


def report(figures):
    print(f"\n{'':24} {'wall s':>9} {'CPU-s':>9}   (medians)")
    median = {}
    for name, runs in figures.items():
        median[name] = [statistics.median(part) for part in zip(*runs)]
        print(f"{name:24} {median[name][0]:9.2f} {median[name][1]:9.2f}")
    for peer in ("rsync quick", "rsync checksum"):
        ratios = [ours / theirs for ours, theirs in zip(median["launcher update"], median[peer])]
        print(f"launcher update / {peer}: wall {ratios[0]:.2f}, CPU {ratios[1]:.2f}")


if __name__ == "__main__":
    main()

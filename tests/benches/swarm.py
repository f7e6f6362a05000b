"""CPU-seconds per GiB to seed and to leech: our engine and libtorrent 2.1, one seeder and one leecher over plain TCP
on loopback, data on tmpfs, both measured in the same run.

    cargo build --release -p samara-tests && $(tests/scripts/python) tests/benches/swarm.py [--runs N] [--mib N] [CASE…]

Hashing at start (a seed that checks its files) is not counted; hashing on arrival, writing and flushing are."""

import argparse
import json
import os
import random
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target"), "release")
TICK = 1 / os.sysconf("SC_CLK_TCK")
CASES = {"v1": ("v1", 1), "v2": ("v2", 1), "hybrid": ("hybrid", 1), "tree": ("hybrid", 2000), "tree-v1": ("v1", 2000), "tree-v2": ("v2", 2000)}


def make_data(folder, mib, files):
    """`files` files of random bytes and, when there are many, of very different sizes; `mib` MiB in all."""
    chance = random.Random(files)
    noise = chance.randbytes(1 << 22)
    weights = [chance.paretovariate(1.2) for _ in range(files)]
    for i, weight in enumerate(weights):
        left = max(1, int((mib << 20) * weight / sum(weights)))
        path = os.path.join(folder, f"dir{i % 40:02}", f"file{i:04}") if files > 1 else folder
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            while left:
                at = chance.randrange(1 << 21)
                left -= out.write(noise[at:at + min(left, 1 << 21)])


class Peer:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def wait(self, event, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 1)[0]:
                line = self.process.stdout.readline()
                if not line:
                    raise SystemExit(f"a peer ended with {self.process.wait()}")
                said = json.loads(line)
                if said["event"] == event:
                    return
                if said["event"] == "note":
                    print("   ", said["text"], file=sys.stderr)
        raise SystemExit(f"no {event!r} in {seconds} s from {' '.join(self.process.args)}")

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.kill()
        self.process.wait()


def command(engine, torrent, data, listen, peer=None):
    if engine == "libtorrent":
        base = [sys.executable, os.path.join(HERE, "ltpeer.py")]
    else:
        base = [os.path.join(PROGRAMS, "peer"), "--wait"] + ([] if peer else ["--seed", "--map"])
    return base + ["--torrent", torrent, "--data", data, "--listen", listen] + (["--peer", peer] if peer else [])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def transfer(seeder, leecher, torrent, data, into):
    """CPU-seconds of seeder and leecher, and seconds."""
    shutil.rmtree(into, ignore_errors=True)
    os.makedirs(into)
    at = f"127.0.0.1:{free_port()}"
    peers = [Peer(command(seeder, torrent, data, at))]
    try:
        peers[0].wait("ready")
        peers.append(Peer(command(leecher, torrent, into, f"127.0.0.1:{free_port()}", at)))
        peers[1].wait("ready")
        before, start = [peer.cpu() for peer in peers], time.monotonic()
        peers[1].go()
        peers[1].wait("done")
        seconds = time.monotonic() - start
        after = [peer.cpu() for peer in peers]
    finally:
        for peer in peers:
            peer.stop()
    return after[0] - before[0], after[1] - before[1], seconds


def same(a, b):
    return subprocess.run(["diff", "-rq", a, b]).returncode == 0


def main():
    global PROGRAMS
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--runs", type=int, default=3)
    args.add_argument("--mib", type=int, default=1024)
    args.add_argument("--cross", action="store_true", help="also ours against libtorrent, both ways")
    args.add_argument("--ours", action="store_true", help="only ours")
    args.add_argument("case", nargs="*", default=list(CASES))
    args.add_argument("--programs", default=PROGRAMS, help="folder with peer and mktorrent")
    args = args.parse_args()
    PROGRAMS = args.programs
    pairs = [("samara", "samara")] + ([] if args.ours else [("libtorrent", "libtorrent")])
    pairs += [("samara", "libtorrent"), ("libtorrent", "samara")] if args.cross else []
    print(f"{'':8}{'seeder':12}{'leecher':12}{'seed':>8}{'leech':>8}{'MB/s':>8}   CPU-s/GiB, median of {args.runs}")
    for case in args.case:
        kind, files = CASES[case]
        with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
            data, into = os.path.join(work, "data"), os.path.join(work, "into")
            make_data(os.path.join(data, "game"), args.mib, files)
            torrent = os.path.join(work, "t.torrent")
            piece_len = "1048576" if files == 1 else "262144"
            subprocess.run([os.path.join(PROGRAMS, "mktorrent"), "--mode", kind, "--piece-len", piece_len,
                            "--out", torrent, os.path.join(data, "game")], check=True, stdout=subprocess.DEVNULL)
            results = {pair: [] for pair in pairs}
            for _ in range(args.runs):  # in turns: both see the same load of the machine
                for pair in pairs:
                    results[pair].append(transfer(*pair, torrent, data, into))
                    if not same(data, into):
                        raise SystemExit(f"{case} {pair}: the copy differs")
            gib = args.mib / 1024
            mid = {pair: [statistics.median(x) / gib for x in zip(*runs)] for pair, runs in results.items()}
            for pair, (seed, leech, seconds) in mid.items():
                speed = (1 << 30) / seconds / 1e6
                print(f"{case:8}{pair[0]:12}{pair[1]:12}{seed:8.2f}{leech:8.2f}{speed:8.0f}")
            if not args.ours:
                ours, theirs = mid[pairs[0]], mid[pairs[1]]
                print(f"{case:8}libtorrent ÷ samara     {theirs[0] / ours[0]:8.2f}{theirs[1] / ours[1]:8.2f}", flush=True)


if __name__ == "__main__":
    main()

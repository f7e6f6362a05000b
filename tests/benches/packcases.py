"""Delta packs of hard cases: a large file with changes all over it, an archive of stored entries, zips of deflated
files. Each limit is printed with its verdict.

    cargo build --release -p samara-tests -p seedbox -p launcher && tests/benches/packcases.py --dir DIR [CASE…]

The builds are made from a printed seed in a folder of DIR that is removed at the end; whole they need 15 GB there, with
`--scale 0.01` hardly any. Peers are `zstd` for the entries' own deltas and for CPU-seconds. `--programs` also publishes
with the real seedbox and updates with the real launcher, for their memory."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import casedata
import packpeers
import update

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")
GIB, MIB = 1 << 30, 1 << 20
# Most memory of the whole publisher, and of one worker that applies.
PUBLISHER, WORKER = 3 * GIB // 2, 64 * MIB
# What a change may cost beside its own bytes.
CHANGE_BYTES = 48
FAILED = []


def verdict(holds, text):
    print(f"{'PASS' if holds else 'FAIL'}  {text}", flush=True)
    if not holds:
        FAILED.append(text)


def mebibytes(count):
    return f"{count / MIB:.0f} MiB"


class Pack:
    """Makes a pack with the bench's program, applies it on one core, compares every byte."""

    def __init__(self, options, case, level):
        self.path = os.path.join(os.path.dirname(case.new), f"{level}.pack")
        created = packpeers.run([options.program, "create", case.old, case.new, self.path, "--level", level, "--threads",
                                 str(options.threads)])
        said = json.loads(created.said.splitlines()[-1])
        self.bytes, self.index, self.cpu = said["pack_bytes"], said["index_bytes"], said["create_cpu"]
        out = self.path + ".out"
        applied = packpeers.run([options.program, "apply", case.old, self.path, out, "--new", case.new])
        done = json.loads(applied.said.splitlines()[-1])
        shutil.rmtree(out), os.remove(self.path)
        print(f"      {level}: {self.bytes:,} bytes, index {self.index:,}; create {self.cpu:.1f} CPU-s (matching "
              f"{said['match_cpu']:.1f}), {created.wall:.0f} s, {mebibytes(created.peak)}; apply "
              f"{done['apply_cpu']:.1f} CPU-s, {mebibytes(done['peak_rss'])}; comes out bit for bit", flush=True)
        verdict(created.peak < PUBLISHER, f"{level}: {mebibytes(created.peak)} to create (at most {mebibytes(PUBLISHER)})")
        verdict(done["peak_rss"] < WORKER, f"{level}: {mebibytes(done['peak_rss'])} to apply (at most {mebibytes(WORKER)})")


def only_file(folder):
    return os.path.join(folder, os.listdir(folder)[0])


def zstd_beside(case, level=3):
    """What `zstd --patch-from` takes, where it can do it at all."""
    old, new = only_file(case.old), only_file(case.new)
    long = max(27, (max(os.path.getsize(old), os.path.getsize(new)) - 1).bit_length())
    out = os.path.join(os.path.dirname(case.new), "zstd")
    command = ["zstd", "-q", "-f", "-T1", f"-{level}", f"--long={long}", f"--patch-from={old}", new, "-o", out]
    try:
        ran = packpeers.run(command)
        print(f"      zstd -{level} --patch-from: {os.path.getsize(out):,} bytes, {ran.cpu:.1f} CPU-s, "
              f"{mebibytes(ran.peak)}", flush=True)
        os.remove(out)
    except RuntimeError as error:
        print(f"      zstd -{level} --patch-from refuses: {str(error).splitlines()[-1][-120:]}", flush=True)


def compressed(data):
    return len(subprocess.run(["zstd", "-q", "-19", "-T1", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout)


def scattered(options, folder):
    """1 GiB, 1,000 changes all over it, 10 MiB inserted near the front."""
    size, changes = int(GIB * options.scale), max(10, int(1000 * min(1, options.scale * 10)))
    case = casedata.scattered(os.path.join(folder, "a"), options.seed, size, changes, int(10 * MIB * options.scale))
    new = compressed(case.changed)
    print(f"\n## a: {size:,} bytes, {changes} changes, {int(10 * MIB * options.scale):,} inserted: {len(case.changed):,} "
          f"bytes are new, {new:,} by zstd -19\n")
    for level in options.levels:
        pack = Pack(options, case, level)
        verdict(pack.bytes < 1.3 * new, f"{level}: {pack.bytes / new:.4f} of what is new, compressed (at most 1.3)")
        more = (pack.bytes - new) / changes
        verdict(more < CHANGE_BYTES, f"{level}: {more:.1f} bytes a change beside its own (at most {CHANGE_BYTES})")
    zstd_beside(case)
    programs(options, folder, case)


def own_delta(folder, number, old, new):
    """One entry's delta by zstd -19; the entry itself where that is less."""
    paths = [os.path.join(folder, f"{number}-{which}") for which in ("old", "new")]
    for path, bytes_ in zip(paths, (old, new)):
        with open(path, "wb") as file:
            file.write(bytes_)
    said = subprocess.run(["zstd", "-q", "-19", "-T1", "--long=27", f"--patch-from={paths[0]}", paths[1], "-c"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    for path in paths:
        os.remove(path)
    return min(len(said.stdout), len(new))


def archive(options, folder):
    """3 GiB in 3,000 stored entries, 15 of 100 changed in part, 4 of 100 new, the directory at the end."""
    size, entries = int(3 * GIB * options.scale), max(100, int(3000 * min(1, options.scale * 10)))
    for kind in options.archives:
        where = os.path.join(folder, f"b-{kind}")
        case = casedata.archives(where, options.seed, size, entries, kind)
        with ThreadPoolExecutor(options.threads) as pool:
            jobs = [pool.submit(own_delta, where, at, *pair) for at, pair in enumerate(case.changed)]
            own = sum(job.result() for job in jobs) + case.fresh
        case.changed.clear()
        print(f"\n## b: {kind} of {os.path.getsize(only_file(case.new)):,} bytes, {entries} entries: their own deltas by "
              f"zstd -19 and new ones come to {own:,}\n")
        for level in options.levels:
            pack = Pack(options, case, level)
            verdict(pack.bytes < 1.1 * own, f"{level}: {pack.bytes / own:.4f} of the entries' own deltas (at most 1.10)")
        zstd_beside(case)
        programs(options, where, case)
        shutil.rmtree(where)


def zipped(options, folder):
    """2,000 deflated text and image files, of which 20 change, at level best."""
    case = casedata.files(os.path.join(folder, "c"), options.seed, max(100, int(2000 * min(1, options.scale * 10))), 20)
    print("\n## c: text and images, 20 changed, as folders and as zips\n")
    folders = Pack(options, case, "best").bytes
    missing = casedata.zips(case, os.path.join(folder, "c"))
    for name, (old, new) in case.zips.items():
        print(f"    {name}: {os.path.getsize(only_file(new)):,} bytes")
        pack = Pack(options, casedata.Zipped(old, new), "best").bytes
        verdict(pack < 1.5 * folders, f"{name}: {pack / folders:.3f} of the folders' pack (at most 1.5)")
    for name in missing:
        print(f"      {name} is not there: not measured")


def programs(options, folder, case):
    """Memory of the real programs: publish of the second release, with its pack, and an update to it."""
    if not options.programs:
        return
    work = os.path.join(folder, "programs")
    os.makedirs(work)
    seedbox = update.Seedbox(work, "game")
    keys = ["--data", seedbox.data, "--keys", seedbox.keys, "--game", "game"]

    def publish(build, version):
        return packpeers.run([update.program("seedbox"), "publish", build, *keys, "--release", version, "--level",
                              options.publish_level])

    publish(case.old, "1")
    install = os.path.join(work, "install")
    with seedbox:
        root = os.path.join(seedbox.data, "public/metadata/root.json")
        packpeers.run([update.program("launcher"), "--json", "install", "--repo", seedbox.url, "--trust", root, "--game",
                       "game", "--dir", install, "--listen", "127.0.0.1:0"])
        ran = publish(case.new, "2")
        verdict(ran.peak < PUBLISHER, f"seedbox publish --level {options.publish_level}: {mebibytes(ran.peak)}, "
                f"{ran.cpu:.1f} CPU-s (at most {mebibytes(PUBLISHER)})")
        ran = packpeers.run([update.program("launcher"), "--json", "update", "--dir", install, "--listen", "127.0.0.1:0"])
        most = WORKER * (os.cpu_count() or 1)
        verdict(ran.peak < most, f"launcher update, all of it: {mebibytes(ran.peak)}, {ran.cpu:.1f} CPU-s (at most "
                f"{mebibytes(most)}, {mebibytes(WORKER)} a core)")
        done = json.loads(ran.said.splitlines()[-1])
        print("      " + ", ".join(f"{name} {done[name]:,}" for name in sorted(done) if name.startswith("bytes_")))
    same = subprocess.run(["diff", "-r", "--exclude=.samara", case.new, install]).returncode == 0
    verdict(same, "the install is the build")
    shutil.rmtree(work)


CASES = {"a": scattered, "b": archive, "c": zipped}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="a, b, c; default: all")
    parser.add_argument("--dir", required=True, help="where builds are made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the builds' sizes")
    parser.add_argument("--levels", nargs="+", default=["fast", "normal", "best"])
    parser.add_argument("--archives", nargs="+", default=["zip", "pak"], choices=["zip", "pak"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--program", default=os.path.join(TARGET, "release/pack"))
    parser.add_argument("--programs", action="store_true", help="also seedbox and launcher")
    parser.add_argument("--publish-level", default="best")
    return parser.parse_args()


def main():
    options = arguments()
    print(f"seed {options.seed}, scale {options.scale}, {options.threads} threads")
    os.makedirs(options.dir, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="packcases-") as folder:
        for name in options.cases or CASES:
            CASES[name](options, folder)
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    print("\nall hold" if not FAILED else f"\n{len(FAILED)} do not hold: " + "; ".join(FAILED))
    sys.exit(bool(FAILED))


if __name__ == "__main__":
    main()

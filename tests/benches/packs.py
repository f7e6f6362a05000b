"""Delta packs of real games: size, CPU-seconds and memory to create and to apply, beside the programs to beat.

    cargo build --release -p samara-tests && $(tests/scripts/python) tests/benches/packs.py [--pairs NAME…]

The peers work on tars of the trees (sorted, no dates, no owners), HDiffPatch on folders too. Their figures are kept
and only made again with `--fresh TOOL…` (or `--fresh all`): on a machine with other load, measure again whoever's
CPU-seconds are compared, for a core shared with others makes them up to twice as many. Ours are measured each time:
CPU to create is matching and compressing, of all threads; scan and proof are printed beside, since no peer does
either. Every patch is applied and compared with the release. At the end stand the limits we hold ourselves to, each
with its verdict."""

import argparse
import json
import os
import shutil
import statistics
import tempfile

import packpeers
from packpeers import CACHE, HERE, Pair, Peers

TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")
LEVELS = ("fast", "normal", "best")
PAIRS = [
    Pair("stk-exe", "stk-exe", "1.4", "1.5"),
    Pair("etr", "etr", "0.8.2", "0.8.4"),
    Pair("freeciv-1", "freeciv", "3.0.6", "3.1.4"),
    Pair("freeciv-2", "freeciv", "3.1.4", "3.2.6"),
    Pair("hedgewars", "hedgewars", "1.0.2", "1.0.3"),
    Pair("supertuxkart", "supertuxkart", "1.4", "1.5"),
]
# A pair whose best peer is this small may be larger by a fixed sum instead of by a part: an index is all there is.
SMALL, SMALL_MORE = 64 << 10, 4 << 10
# The HDiffPatch whose CPU `normal` is held against: the mode PyPI's module has, with each of the two codecs.
HDIFF = ("HDiffPatch -m-6 lzma2", "HDiffPatch -m-6 zstd", "HDiffPatch -s-64 zstd")
ZSTD = "zstd -3"


def ours(program, pair, level, threads, nice):
    # In memory where that can be: what a disk's file system asks for thousands of new files is many times the rest, and
    # another sum each time.
    place = "/dev/shm" if os.path.isdir("/dev/shm") else CACHE
    with tempfile.TemporaryDirectory(dir=place, prefix="samara-packs-") as folder:
        pack, out = os.path.join(folder, "pack"), os.path.join(folder, "out")
        # Both trees come from the page cache, as the peers' tars do.
        packpeers.warm(*files_of(pair.old_dir), *files_of(pair.new_dir))
        created = packpeers.run([program, "create", pair.old_dir, pair.new_dir, pack, "--level", level, "--threads",
                                 str(threads)], nice)
        said = json.loads(created.said.splitlines()[-1])
        # Much of it is the system's work with new files, which varies: the middle of three.
        runs = []
        for _ in range(3):
            shutil.rmtree(out, ignore_errors=True)
            applied = packpeers.run([program, "apply", pair.old_dir, pack, out, "--new", pair.new_dir], nice)
            runs.append(json.loads(applied.said.splitlines()[-1]))
        done = {name: statistics.median(run[name] for run in runs)
                for name in ("apply_cpu", "hash_copy_cpu", "peak_rss")}
        check_rebuilt(pair, out)
        if said["pack_bytes"] != os.path.getsize(pack):
            raise SystemExit(f"the pack says it has {said['pack_bytes']} bytes, the file has {os.path.getsize(pack)}")
        return {"bytes": said["pack_bytes"], "create_wall": created.wall, "create_peak": created.peak,
                "all_cpu": created.cpu, "apply_peak": done["peak_rss"],
                **{name: said[name] for name in ("index_bytes", "manifest_bytes", "scan_cpu", "match_cpu",
                                                 "compress_cpu", "create_cpu", "proof_cpu", "segments")},
                **{name: done[name] for name in ("apply_cpu", "hash_copy_cpu")}}


def check_rebuilt(pair, out):
    """Every file of the release is either rebuilt, byte for byte, or has its content somewhere in the old tree."""
    rebuilt = {os.path.relpath(path, out): packpeers.digest(path) for path in files_of(out)}
    had = {packpeers.digest(path) for path in files_of(pair.old_dir)} | set(rebuilt.values())
    for path in files_of(pair.new_dir):
        content = packpeers.digest(path)
        if rebuilt.get(os.path.relpath(path, pair.new_dir), content) != content:
            raise SystemExit(f"{path} is rebuilt wrong")
        if content not in had:
            raise SystemExit(f"{path} is not rebuilt, and the old release does not have it")


def files_of(tree):
    return [path for at, _, names in os.walk(tree) for name in names
            if not os.path.islink(path := os.path.join(at, name))]


def number(count):
    return f"{count:,}" if count < 10_000_000 else f"{count / 1e6:,.2f} M"


def megabytes(count):
    return f"{count / 1e6:.0f} MB"


def row(name, figures, best):
    if figures is None:
        return f"| {name} | not measured | | | | | |"
    if "skipped" in figures:
        return f"| {name} | {figures['skipped']} | | | | | |"
    ratio = f"{figures['bytes'] / best:.3f}" if best else ""
    return (f"| {name} | {figures['bytes']:,} | {ratio} | {figures['create_cpu']:.2f} | "
            f"{megabytes(figures['create_peak'])} | {figures['apply_cpu']:.2f} | {megabytes(figures['apply_peak'])} |")


def best_peer(peers):
    sizes = {name: figures["bytes"] for name, figures in peers.items() if figures and "bytes" in figures}
    return min(sizes.items(), key=lambda item: item[1]) if sizes else (None, None)


def table(pair, peers, mine):
    _, best = best_peer(peers)
    lines = [f"\n### {pair.name}: {pair.game} {pair.old} -> {pair.new}\n",
             "| | bytes | to best peer | create CPU-s | create memory | apply CPU-s | apply memory |",
             "|---|---|---|---|---|---|---|"]
    lines += [row(f"**samara {level}**", mine[level], best) for level in LEVELS if level in mine]
    lines += [row(name, figures, best) for name, figures in peers.items()]
    for level in LEVELS:
        if level not in mine:
            continue
        told = mine[level]
        lines.append(
            f"\n{level}: index {told['index_bytes']:,} B in the pack; release manifest {told['manifest_bytes']:,} B "
            f"beside it. CPU-s: match {told['match_cpu']:.2f}, compress {told['compress_cpu']:.2f}; beside: scan "
            f"{told['scan_cpu']:.2f}, proof {told['proof_cpu']:.2f}, all of the process {told['all_cpu']:.2f}. Apply "
            f"{told['apply_cpu']:.2f}, of hashing and copying alone {told['hash_copy_cpu']:.2f} "
            f"({ratio_of(told['apply_cpu'], told['hash_copy_cpu']):.2f} x).")
        parts = sorted(told["segments"].items(), key=lambda item: -item[1]["bytes_out"])
        lines.append("  " + "; ".join(f"{name} {part['count']} x, {number(part['bytes_in'])} -> "
                                      f"{number(part['bytes_out'])}" for name, part in parts))
    return "\n".join(lines)


def ratio_of(one, other):
    return one / other if other else float("inf") if one else 0.0


def verdict(holds, text):
    print(f"{'PASS' if holds else 'FAIL'}  {text}")
    return holds


def summary(measured):
    """The ratios over all pairs, and whether each limit holds. `measured`: pair, peers, ours by level."""
    print("\n## Ratios\n")
    whole = True
    for level in LEVELS:
        rows = [(pair, best_peer(peers)[1], mine[level], peers) for pair, peers, mine in measured
                if level in mine and best_peer(peers)[1]]
        if not rows:
            continue
        missing = [pair.name for pair in PAIRS if pair.name not in {row[0].name for row in rows}]
        if missing:
            whole = False
            print(f"{level}: WITHOUT {', '.join(missing)}: the sums below are of the other pairs")
        size = sum(row[2]["bytes"] for row in rows) / sum(row[1] for row in rows)
        print(f"{level}: " + ", ".join(f"{pair.name} {done['bytes'] / best:.3f}" for pair, best, done, _ in rows))
        if level == "best":
            whole &= verdict(size <= 0.97, f"best: sum {size:.3f} of each pair's best peer (at most 0.97)")
            for pair, best, done, _ in rows:
                if best < SMALL:
                    more = done["bytes"] - best
                    whole &= verdict(more <= SMALL_MORE, f"best: {pair.name} {more:+,} bytes (at most +{SMALL_MORE:,})")
                else:
                    limit = 0.92 if pair.name == "freeciv-1" else 1.05
                    ratio = done["bytes"] / best
                    whole &= verdict(ratio <= limit, f"best: {pair.name} {ratio:.3f} (at most {limit})")
        else:
            limit = 1.08 if level == "normal" else 1.20
            whole &= verdict(size <= limit, f"{level}: sum {size:.3f} of each pair's best peer (at most {limit})")
        for tool, part in [(name, 0.25) for name in HDIFF] if level == "normal" else \
                [(ZSTD, 1.0)] if level == "fast" else []:
            whole &= cpu_line(level, tool, part, rows)
        whole &= apply_line(level, rows)
    print("\nall hold" if whole else "\nnot all hold, or not all was measured")


def cpu_line(level, tool, part, rows):
    both = [(pair.name, done["create_cpu"], peers[tool]["create_cpu"]) for pair, _, done, peers in rows
            if "create_cpu" in (peers.get(tool) or {})]
    if not both:
        return False
    ratio = ratio_of(sum(mine for _, mine, _ in both), sum(theirs for _, _, theirs in both))
    each = ", ".join(f"{name} {mine:.2f}/{theirs:.2f}" for name, mine, theirs in both)
    return verdict(ratio <= part, f"{level}: CPU {ratio:.3f} of {tool}'s (at most {part}); {each}")


def apply_line(level, rows):
    """`best` may cost more where it saves much, so there the ratio is only told."""
    parts = [(pair.name, done["apply_cpu"], done["hash_copy_cpu"]) for pair, _, done, _ in rows]
    ratio = ratio_of(sum(part[1] for part in parts), sum(part[2] for part in parts))
    each = ", ".join(f"{name} {ratio_of(applied, copied):.2f}" for name, applied, copied in parts)
    text = f"{level}: to apply costs {ratio:.2f} x of hashing and copying the changed bytes"
    if level == "best":
        print(f"      {text}; {each}")
        return True
    return verdict(ratio <= 2.0, f"{text} (all pairs, at most 2); {each}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", choices=[pair.name for pair in PAIRS], help="only these")
    parser.add_argument("--levels", nargs="*", default=LEVELS, choices=LEVELS, help="ours; none: only the peers")
    parser.add_argument("--tools", nargs="+", help="only these peers, by the start of their names")
    parser.add_argument("--fresh", nargs="+", default=[], help="peers to measure again, by name, or all")
    parser.add_argument("--kept", action="store_true", help="measure only the peers of --fresh, show what is kept")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of ours")
    parser.add_argument("--nice", type=int, default=0, help="of all that is run")
    parser.add_argument("--program", default=os.path.join(TARGET, "release/pack"), help="ours")
    parser.add_argument("--json", help="write all figures into this file")
    return parser.parse_args()


def main():
    chosen = arguments()
    if chosen.levels and not os.path.exists(chosen.program):
        raise SystemExit(f"{chosen.program} is not there: cargo build --release -p samara-tests")
    os.makedirs(CACHE, exist_ok=True)
    peers, tools = Peers(chosen.fresh, chosen.nice), packpeers.tools()
    if chosen.tools:
        tools = [tool for tool in tools if tool.name.startswith(tuple(chosen.tools))]
    measured = []
    for pair in PAIRS:
        if chosen.pairs and pair.name not in chosen.pairs:
            continue
        folders = packpeers.builds(pair.game)
        pair.old_dir, pair.new_dir = folders[pair.old], folders[pair.new]
        theirs = {tool.name: peers.figures(pair, tool, not chosen.kept or peers.wants(tool)) for tool in tools}
        mine = {level: ours(chosen.program, pair, level, chosen.threads, chosen.nice) for level in chosen.levels}
        print(table(pair, theirs, mine), flush=True)
        measured.append((pair, theirs, mine))
    if chosen.levels:
        summary(measured)
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump({pair.name: {"peers": theirs, "ours": mine} for pair, theirs, mine in measured}, file, indent=1)


if __name__ == "__main__":
    main()

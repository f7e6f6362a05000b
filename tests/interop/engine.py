"""Our engine against other people's, both ways, by every hash that they know: plain torrents that we made."""

import os

from clients import Aria2, Libtorrent, Rtorrent, Transmission
from ours import Engine, make_torrent
from world import Tracker, assert_same, host, make_tree, run_all, wait_for

# Who reads which kind. Transmission, aria2 and rTorrent refuse hybrids or hash them wrongly: see CONTRIBUTING.md.
OTHERS = [
    ("v1", Libtorrent, {}),
    ("v1", Transmission, {}),
    ("v1", Aria2, {}),
    ("v1", Rtorrent, {}),
    ("v2", Libtorrent, {"by": "v2"}),
    ("hybrid", Libtorrent, {"by": "v1"}),
    ("hybrid", Libtorrent, {"by": "v2"}),
]


class Pair:
    """A seed and a leech of one torrent, with a tracker."""

    def __init__(self, scratch, kind, single=False):
        self.source, self.out = scratch("in"), scratch("out")
        self.torrent = scratch("game.torrent")
        self.tracker = Tracker()
        self.root = os.path.join(self.source, "game")
        make_tree(self.root, seed=2)
        if single:
            self.root = os.path.join(self.root, "data", "level.pak")
            self.source = os.path.dirname(self.root)
        make_torrent(kind, self.root, self.torrent, [self.tracker.url])
        os.makedirs(self.out)

    def run(self, seed, leech, connect):
        """`connect` is who calls whom: "leech", "seed", or "tracker" when both wait for it."""
        try:
            seed.seed(self.torrent, self.source)
            wait_for("the seed is ready", seed.done, seed)
            leech.leech(self.torrent, self.out, [(seed.address, seed.port)] if connect == "leech" else ())
            if connect == "seed":
                wait_for("the leech listens", lambda: leech.event("listening"), leech)
                seed.connect(leech.address, leech.port)
            wait_for("the leech is complete", leech.done, seed, leech)
            if os.path.isdir(self.root):
                assert_same(self.root, os.path.join(self.out, "game"))
            else:
                assert_same(os.path.dirname(self.root), self.out)
        finally:
            leech.stop()
            seed.stop()


def they_leech(kind, other, options, single=False):
    def case(scratch):
        pair = Pair(scratch, kind, single)
        seed = Engine(*host(), scratch("seed"), tracker=pair.tracker.url)
        connect = "leech" if other in (Libtorrent, Rtorrent) else "tracker"
        pair.run(seed, other(*host(), scratch("leech"), **options), connect)

    return case


def we_leech(kind, other, options, connect, single=False):
    def case(scratch):
        pair = Pair(scratch, kind, single)
        leech = Engine(*host(), scratch("leech"), tracker=pair.tracker.url if connect == "tracker" else None)
        pair.run(other(*host(), scratch("seed"), **options), leech, connect)

    return case


def cases():
    for kind, other, options in OTHERS:
        name = f"{kind} torrent, {other.__name__}" + (f" by the {options['by']} hash" if options else "")
        yield f"{name} leeches from us", they_leech(kind, other, options)
        if other is Libtorrent:
            yield f"{name} calls us, we leech", we_leech(kind, other, options, "seed")
            if kind != "hybrid" or options["by"] == "v1":
                yield f"{name} is called, we leech", we_leech(kind, other, options, "leech")
        else:
            yield f"{name} seeds, we leech", we_leech(kind, other, options, "tracker")
    for kind in ("v1", "v2", "hybrid"):
        yield f"{kind} torrent of one file, Libtorrent leeches from us", they_leech(kind, Libtorrent, {}, single=True)
        yield f"{kind} torrent of one file, we leech", we_leech(kind, Libtorrent, {}, "leech", single=True)


if __name__ == "__main__":
    run_all("the engine and other clients", sorted(cases(), key=lambda named: "Transmission" not in named[0]))

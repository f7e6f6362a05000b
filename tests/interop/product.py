"""The seedbox and the launcher among other people's clients and servers."""

import filecmp
import os

import libtorrent as lt

from clients import Aria2, Client, Libtorrent, Rtorrent, Transmission
from studio import Nginx, Seedbox, Studio, assert_installed, builds, copy, run
from world import Tracker, assert_same, host, make_tree, program, run_all, wait_for


def published(scratch):
    """A studio with one release of a small tree."""
    address, port = host()
    studio = Studio(scratch, address, port)
    make_tree(scratch("game"), seed=3)
    studio.publish(scratch("game"), "1.0")
    return studio, (address, port)


def from_seedbox(kind, other, options):
    """A client downloads what the seedbox publishes from it as a peer; it finds it by the seedbox's own tracker."""

    def case(scratch):
        studio, where = published(scratch)
        seedbox = Seedbox(*where, scratch("seedbox"))
        leech = other(*host(), scratch("leech"), **options)
        try:
            seedbox.serve(studio.data)
            os.makedirs(scratch("out"))
            leech.leech(studio.torrent(kind, scratch("t.torrent")), scratch("out"))
            wait_for("the leech is complete", leech.done, seedbox, leech)
            assert_same(scratch("game"), scratch("out", torrent_name(scratch("t.torrent"))))
        finally:
            leech.stop()
            seedbox.stop()

    return case


def from_web_seed(kind, other, options):
    """A client downloads by HTTP alone."""

    def case(scratch):
        studio, where = published(scratch)
        seedbox = Seedbox(*where, scratch("seedbox"))
        leech = other(*host(), scratch("leech"), **options)
        try:
            seedbox.serve(studio.data)
            os.makedirs(scratch("out"))
            torrent = studio.torrent(kind, scratch("t.torrent"), web=True, announce=False)
            leech.leech(torrent, scratch("out"))
            wait_for("the leech is complete", leech.done, seedbox, leech)
            assert_same(scratch("game"), scratch("out", torrent_name(scratch("t.torrent"))))
        finally:
            leech.stop()
            seedbox.stop()

    return case


def a_pack(options, web):
    """A pack is a torrent of one file that libtorrent reads: from the seedbox as a peer, and from its web seed."""

    def case(scratch):
        studio, where = published(scratch)
        with open(os.path.join(scratch("game"), "data", "level.pak"), "r+b") as file:
            file.seek(1_000_000)
            file.write(os.urandom(300_000))
        (pack,) = studio.publish(scratch("game"), "1.1")["packs"]
        seedbox = Seedbox(*where, scratch("seedbox"))
        leech = Libtorrent(*host(), scratch("leech"), **options)
        try:
            seedbox.serve(studio.data)
            os.makedirs(scratch("out"))
            torrent = studio.torrent("pack", scratch("t.torrent"), web=web, announce=not web)
            leech.leech(torrent, scratch("out"))
            wait_for("the leech is complete", leech.done, seedbox, leech)
            assert filecmp.cmp(pack["file"], os.path.join(scratch("out"), "game-1.0-1.1.pack"), shallow=False)
        finally:
            leech.stop()
            seedbox.stop()
        return f"{pack['bytes']} bytes for {pack['plain_bytes']}"

    return case


def torrent_name(torrent):
    return lt.torrent_info(torrent).name()


class Launcher(Client):
    """A launcher that stays to seed."""

    def seed(self, folder):
        self.spawn(program("launcher"), "seed", "--dir", folder, "--listen", f"0.0.0.0:{self.port}", "--json")


def launcher_and_libtorrent(by):
    """No seedbox at all: a web server with a copy of the public folder, a tracker, and libtorrent as the only seed.
    Then the launcher seeds alone, and libtorrent downloads from it."""

    def case(scratch):
        studio, where = published(scratch)
        tracker, site = Tracker(), Nginx(*where, scratch("nginx"))
        torrent = studio.torrent("hybrid", scratch("t.torrent"))
        name = torrent_name(torrent)
        copy(scratch("game"), scratch("in", name))
        seed = Libtorrent(*host(), scratch("seed"), by=by)
        leech = Libtorrent(*host(), scratch("leech"), by=by)
        address, port = host()
        launcher = Launcher(address, port, scratch("launcher"))
        try:
            site.serve(copy(studio.public, scratch("public")), tracker)
            seed.seed(torrent, scratch("in"))
            wait_for("libtorrent seeds", seed.done, seed)
            wait_for("it is known to the tracker", lambda: tracker.swarms, seed)
            done = studio.install(scratch("installed"), "--no-web", "--listen", f"0.0.0.0:{port}")
            assert_installed(scratch("game"), scratch("installed"))
            assert done["bytes_web"] == 0 and done["bytes_origin"] == 0, done
            assert done["bytes_lan"] + done["bytes_peers"] > 0, done
            seed.stop()

            launcher.seed(scratch("installed"))
            os.makedirs(scratch("out"))
            leech.leech(torrent, scratch("out"), [(address, port)])
            wait_for("libtorrent is complete", leech.done, launcher, leech)
            assert_same(scratch("game"), scratch("out", name))
        finally:
            for client in (leech, launcher, site):
                client.stop()

    return case


def plain_web_server(scratch):
    """A real game from a copy of the public folder behind nginx, no seedbox running; then its update."""
    old, new = builds("freeciv")[:2]
    address, port = host()
    studio = Studio(scratch, address, port, game="freeciv")
    studio.publish(old, "3.0.6")
    site = Nginx(address, port, scratch("nginx"))
    try:
        site.serve(copy(studio.public, scratch("public")))
        installed = studio.install(scratch("installed"))
        assert_installed(old, scratch("installed"))
        site.stop()

        studio.publish(new, "3.1.4")
        again = Nginx(address, port, scratch("nginx-again"))
        again.serve(copy(studio.public, scratch("public-again")))
        site = again
        updated = run(program("launcher"), "update", "--dir", scratch("installed"))
        assert_installed(new, scratch("installed"))
        assert updated["bytes_web"] < installed["bytes_web"], (installed, updated)
    finally:
        site.stop()
    return f"{installed['bytes_web'] >> 20} MiB in {installed['seconds']} s, update {updated['bytes_web'] >> 20} MiB"


def cases():
    for other in (Transmission, Aria2, Rtorrent, Libtorrent):
        yield f"{other.__name__} leeches the v1 torrent from the seedbox", from_seedbox("v1", other, {})
    yield "Libtorrent leeches the hybrid from the seedbox", from_seedbox("hybrid", Libtorrent, {})
    yield "Aria2 has our web seed alone", from_web_seed("v1", Aria2, {"web": True})
    yield "Libtorrent has our web seed alone, v1", from_web_seed("v1", Libtorrent, {"web": "only"})
    yield "Libtorrent has our web seed alone, hybrid", from_web_seed("hybrid", Libtorrent, {"web": "only"})
    yield "Libtorrent leeches a pack from the seedbox", a_pack({}, web=False)
    yield "Libtorrent has a pack's web seed alone", a_pack({"web": "only"}, web=True)
    for by in ("v1", "v2"):
        yield f"the launcher and Libtorrent, by the {by} hash", launcher_and_libtorrent(by)
    yield "freeciv from a plain web server", plain_web_server


if __name__ == "__main__":
    run_all("our programs among others", list(cases()))

"""Our own programs behind the methods that other people's clients have in clients.py."""

import json
import os
import subprocess

from clients import Client
from world import program


def make_torrent(kind, root, out, announce=(), web_seeds=(), piece_len=32 * 1024):
    """A torrent by our own hand; returns its two info-hashes."""
    command = [program("mktorrent"), "--mode", kind, "--piece-len", str(piece_len), "--out", out, root]
    for url in announce:
        command += ["--announce", url]
    for url in web_seeds:
        command += ["--web-seed", url]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["info_hash_v1"], answer["info_hash_v2"]


class Engine(Client):
    """The engine alone: tests/src/bin/peer.rs."""

    def __init__(self, address, port, work, tracker=None, web_seed=None):
        super().__init__(address, port, work)
        self.more = []
        if tracker:
            self.more += ["--tracker", tracker]
        if web_seed:
            self.more += ["--web-seed", web_seed, "--no-peers"]

    def start(self, torrent, folder, *more):
        # On every address: what it sends comes from the address it sends to, for all of them are on this machine,
        # so that is where a tracker believes it to be.
        listen = f"0.0.0.0:{self.port}"
        self.spawn(program("peer"), "--torrent", torrent, "--data", folder, "--listen", listen, *self.more, *more)

    def seed(self, torrent, folder):
        self.wanted = "listening"
        self.start(torrent, folder, "--seed")

    def leech(self, torrent, folder, peers=()):
        self.wanted = "done"
        self.start(torrent, folder, *[part for address, port in peers for part in ("--peer", f"{address}:{port}")])

    def events(self):
        with open(os.path.join(self.work, "log"), errors="replace") as log:
            lines = [line for line in log if line.startswith("{") and line.endswith("}\n")]
        return [json.loads(line) for line in lines]

    def event(self, name):
        return next((event for event in self.events() if event["event"] == name), None)

    def done(self):
        return self.event(self.wanted) is not None

    def complaint(self):
        notes = [event["text"] for event in self.events() if event["event"] == "note"]
        return super().complaint() or (notes and f"our engine says {notes[-3:]}") or None

"""What the interop programs stand on: addresses of their own, a tree of awkward files, a small tracker, waiting, comparing."""

import http.server
import itertools
import os
import random
import re
import shutil
import socketserver
import struct
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
BINARIES = os.path.join(TARGET, os.environ.get("SAMARA_PROFILE", "debug"))

_hosts = itertools.count(2)
_hosts_lock = threading.Lock()


def program(name):
    """The path of one of the workspace's own programs."""
    path = os.path.join(BINARIES, name)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: build it first (cargo build --workspace --bins)")
    return path


def host():
    """An address that nobody else in this run has, and a port for it. `tests/interop/run` put them on `lo`."""
    with _hosts_lock:
        number = next(_hosts)
    return f"10.77.{number // 250}.{number % 250}", 7000 + number


class Scratch:
    """A folder for one test; kept when the test fails."""

    def __init__(self, name):
        base = os.environ.get("SAMARA_SCRATCH") or os.path.join(TARGET, "test-logs", "interop")
        os.makedirs(base, exist_ok=True)
        self.path = tempfile.mkdtemp(prefix=re.sub(r"[^\w.]+", "-", name) + ".", dir=base)

    def __call__(self, *parts):
        return os.path.join(self.path, *parts)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def make_tree(root, seed, piece_len=32 * 1024, big=6 << 20):
    """A build with what torrents stumble over: empty and one-byte files, exact pieces, deep folders, Unicode."""
    dice = random.Random(seed)
    files = {
        "a": 1,
        "empty": 0,
        "block": 16384,
        "piece": piece_len,
        "two pieces": 2 * piece_len,
        "piece and one": piece_len + 1,
        "deep/" * 12 + "leaf.txt": 777,
        "sounds/größe ñ 鳥.ogg": 3 * piece_len - 1,
        "100% + more & #.dat": 70_001,
        "data/level.pak": big,
        "z-last-empty": 0,
    }
    for path, size in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(dice.randbytes(size))


def content(root):
    """{relative path: bytes} of the files that hold something (Transmission and others make no empty ones)."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as file:
                data = file.read()
            if data:
                found[os.path.relpath(full, root)] = data
    return found


def assert_same(expected, got):
    """That two folders hold the same."""
    want, have = content(expected), content(got)
    # Pad files that a client wrote out are not content.
    have = {path: data for path, data in have.items() if not path.startswith(".pad/")}
    missing, extra = sorted(want.keys() - have.keys()), sorted(have.keys() - want.keys())
    differ = sorted(path for path in want.keys() & have.keys() if want[path] != have[path])
    if missing or extra or differ:
        raise AssertionError(f"{got}: missing {missing[:5]}, extra {extra[:5]}, different {differ[:5]}")


def wait_for(what, condition, *watched, seconds=60):
    """Polls until the condition holds; fails at once when a watched client complains."""
    deadline = time.monotonic() + seconds
    while not condition():
        complaint = next(filter(None, (client.complaint() for client in watched)), None)
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; {complaint or 'nobody complains'}")
        if complaint and " ended with " in complaint:
            raise AssertionError(f"{what}: {complaint}")
        time.sleep(0.05)


class Tracker:
    """The least HTTP tracker that clients need to find each other: compact IPv4 answers, a swarm per hash."""

    def __init__(self):
        self.address, self.port = host()
        swarms, lock = {}, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                # Hashes are raw bytes: latin-1 keeps them apart.
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, encoding="latin-1")
                swarm_hash, port = query["info_hash"][0], int(query["port"][0])
                me = (self.headers.get("X-Real-IP", self.client_address[0]), port)
                with lock:
                    swarm = swarms.setdefault(swarm_hash, set())
                    others = sorted(swarm - {me})
                    swarm.discard(me) if query.get("event") == ["stopped"] else swarm.add(me)
                peers = b"".join(bytes(map(int, a.split("."))) + struct.pack(">H", p) for a, p in others)
                body = b"d8:intervali5e12:min intervali1e5:peers%d:%se" % (len(peers), peers)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):  # HTTPServer would ask for names first
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # a client that ended in the middle of its announce

        self.swarms = swarms
        self.server = Server((self.address, self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}/announce"


def run_all(title, cases, workers=4):
    """Runs named cases side by side, prints a line for each, and ends the program.

    A case is a function of a Scratch; command line arguments choose cases by a part of their name.
    """
    wanted = sys.argv[1:]
    cases = [(name, case) for name, case in cases if not wanted or any(part in name for part in wanted)]

    def run(named):
        name, case = named
        scratch = Scratch(name)
        start = time.monotonic()
        try:
            note = case(scratch) or ""
            failure = None
        except Exception as error:  # whatever it is, it is this case's failure, and the others go on
            note, failure = f"{error}\n  kept: {scratch.path}", traceback.format_exc()
            with open(scratch("failure"), "w") as file:
                file.write(failure)
        else:
            scratch.remove()
        print(f"  {'ok  ' if failure is None else 'FAIL'} {time.monotonic() - start:5.1f} s  {name}  {note}", flush=True)
        return failure is not None

    print(f"{title}: {len(cases)} cases", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        failed = sum(pool.map(run, cases))
    print(f"{len(cases) - failed} passed, {failed} failed", flush=True)
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # what the cases started ends with the namespace

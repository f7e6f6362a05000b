"""Other people's BitTorrent clients, each headless behind the same few methods.

    client.seed(torrent, folder)             the content lies in folder/NAME
    client.leech(torrent, folder, peers)     downloads to folder/NAME
    client.done() / client.complaint()       polled by world.wait_for
    client.stop()

Discovery beyond the torrent's tracker and the given peers is off in all of them, and each is bound to an address of
its own: Transmission refuses peers on 127/8 and tells peers apart by address alone.
"""

import json
import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
import xmlrpc.client

import libtorrent as lt


class Client:
    """A client in a process of its own."""

    def __init__(self, address, port, work):
        self.address, self.port, self.work = address, port, work
        self.process = None
        os.makedirs(work)

    def spawn(self, *command):
        self.log = open(os.path.join(self.work, "log"), "wb")
        env = dict(os.environ, HOME=self.work, TERM="dumb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, env=env, cwd=self.work
        )

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def complaint(self):
        if self.process is not None and not self.alive():
            with open(os.path.join(self.work, "log"), errors="replace") as log:
                return f"{type(self).__name__} ended with {self.process.returncode}: {log.read()[-500:]}"
        return None

    def stop(self):
        if self.alive():
            self.process.kill()  # asked kindly, some of them talk to the tracker for seconds
            self.process.wait()


class Libtorrent(Client):
    """libtorrent 2.1 in this process. `by` says with which hash of a hybrid it shakes hands: "v1" or "v2"."""

    V2_PEER = 0x80  # the PEX flag of a peer that was seen under the v2 hash
    ended = []

    def __init__(self, address, port, work, by="v1", web=False):
        super().__init__(address, port, work)
        self.by, self.web = by, web
        self.errors = []
        self.session = lt.session(
            {
                "listen_interfaces": f"{address}:{port}",
                "outgoing_interfaces": address,
                "enable_dht": False,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "enable_outgoing_utp": False,
                "enable_incoming_utp": False,
                "allow_multiple_connections_per_ip": True,
                # It drops, without a reject, what is asked beyond this; the clients here ask for more.
                "max_allowed_in_request_queue": 100_000,
                "out_enc_policy": 2,
                "in_enc_policy": 2,
                "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.storage_notification,
            }
        )

    def add(self, torrent, folder, seed):
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
        params.save_path = folder
        params.flags &= ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
        if not self.web:
            params.flags |= lt.torrent_flags.override_web_seeds
        if self.web == "only":
            params.flags |= lt.torrent_flags.override_trackers
        self.handle = self.session.add_torrent(params)
        self.seeding, self.flushed = seed, threading.Event()

    def seed(self, torrent, folder):
        self.add(torrent, folder, True)

    def leech(self, torrent, folder, peers=()):
        self.add(torrent, folder, False)
        for address, port in peers:
            self.connect(address, port)

    def connect(self, address, port):
        self.handle.connect_peer((address, port), 0, self.V2_PEER if self.by == "v2" else 0)

    def done(self):
        for alert in self.session.pop_alerts():
            name = type(alert).__name__
            if name == "cache_flushed_alert":
                self.flushed.set()
            elif "error" in name or "failed" in name:
                self.errors.append(alert.message())
        status = self.handle.status()
        if not status.is_seeding:
            return False
        if self.seeding:
            return True
        # It says finished before the last bytes are in the files.
        self.handle.flush_cache()
        return self.flushed.is_set()

    def alive(self):
        return True

    def complaint(self):
        return None

    def seen_hashes(self):
        hashes = self.handle.info_hashes()
        return str(hashes.v1) if hashes.has_v1() else None, str(hashes.v2) if hashes.has_v2() else None

    def stop(self):
        # Its end would be waited for; it comes with the process's.
        self.session.pause()
        Libtorrent.ended.append(self.session)


class Transmission(Client):
    """Transmission 3: v1 only; peers come from the tracker alone."""

    def start(self, folder):
        self.rpc = f"http://127.0.0.1:{self.port + 1000}/transmission/rpc"
        settings = {
            "bind-address-ipv4": self.address,
            "bind-address-ipv6": "::1",
            "dht-enabled": False,
            "lpd-enabled": False,
            "pex-enabled": False,
            "utp-enabled": False,
            "port-forwarding-enabled": False,
            "peer-port": self.port,
            "peer-port-random-on-start": False,
            "encryption": 0,
            "download-dir": folder,
            "preallocation": 0,
            "rpc-bind-address": "127.0.0.1",
            "rpc-port": self.port + 1000,
            "rpc-whitelist-enabled": False,
            "rpc-host-whitelist-enabled": False,
        }
        with open(os.path.join(self.work, "settings.json"), "w") as file:
            json.dump(settings, file)
        self.spawn("transmission-daemon", "--foreground", "--config-dir", self.work)
        self.token = ""

    def call(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        for _ in range(2):
            request = urllib.request.Request(self.rpc, body, {"X-Transmission-Session-Id": self.token})
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise
                self.token = error.headers["X-Transmission-Session-Id"]
        raise RuntimeError("no session id is good enough")

    def seed(self, torrent, folder):
        self.start(folder)
        self.added = None
        self.request = {"filename": torrent, "download-dir": folder}
        self.seeding = True

    def leech(self, torrent, folder, peers=()):
        self.seed(torrent, folder)
        self.seeding = False

    def done(self):
        try:
            if self.added is None:
                self.added = self.call("torrent-add", **self.request)["result"]
                if self.added != "success":
                    raise RuntimeError(f"Transmission: {self.added}")
            fields = ["percentDone", "leftUntilDone", "status", "errorString", "trackerStats"]
            torrents = self.call("torrent-get", fields=fields)["arguments"]["torrents"]
        except (urllib.error.URLError, ConnectionError):
            return False  # not up yet
        if not torrents:
            return False
        torrent = torrents[0]
        self.error = torrent["errorString"]
        complete = torrent["percentDone"] == 1 and torrent["leftUntilDone"] == 0 and torrent["status"] in (5, 6)
        announced = any(tracker["hasAnnounced"] for tracker in torrent["trackerStats"])
        return complete and (announced or not self.seeding)

    def complaint(self):
        return super().complaint() or getattr(self, "error", None) or None


class Aria2(Client):
    """aria2 1.36: v1 only (its hash of a hybrid is wrong: it encodes `info` anew); web seeds when `web` says so."""

    def __init__(self, address, port, work, web=False):
        super().__init__(address, port, work)
        self.web = web

    def start(self, torrent, folder, *more):
        self.rpc = f"http://127.0.0.1:{self.port + 1000}/jsonrpc"
        self.spawn(
            "aria2c",
            "--no-conf",
            "--enable-dht=false",
            "--enable-dht6=false",
            "--bt-enable-lpd=false",
            "--enable-peer-exchange=false",
            "--disable-ipv6=true",
            f"--interface={self.address}",
            f"--listen-port={self.port}",
            "--enable-rpc",
            f"--rpc-listen-port={self.port + 1000}",
            "--file-allocation=none",
            "--summary-interval=0",
            "--console-log-level=warn",
            "--seed-ratio=0.0",
            f"--dir={folder}",
            *more,
            torrent,
        )

    def seed(self, torrent, folder):
        self.seeding = True
        self.start(torrent, folder, "--check-integrity=true")

    def leech(self, torrent, folder, peers=()):
        self.seeding = False
        self.start(torrent, folder, *(["--bt-exclude-tracker=*"] if self.web else []))

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": "1", "method": f"aria2.{method}", "params": params}).encode()
        with urllib.request.urlopen(self.rpc, body, timeout=5) as answer:
            return json.load(answer)["result"]

    def done(self):
        try:
            jobs = self.call("tellActive") + self.call("tellStopped", 0, 5)
        except (urllib.error.URLError, ConnectionError):
            return False
        for job in jobs:
            if job["status"] == "error":
                raise RuntimeError(f"aria2: {job.get('errorMessage')}")
            if job["completedLength"] == job["totalLength"] != "0":
                return job.get("seeder") == "true" or not self.seeding
        return False


class Rtorrent(Client):
    """rTorrent 0.9: v1 only."""

    def start(self, torrent, folder):
        os.makedirs(os.path.join(self.work, "session"))
        lines = [
            "system.daemon.set = true",
            f"session.path.set = {self.work}/session",
            f"directory.default.set = {folder}",
            f"network.port_range.set = {self.port}-{self.port}",
            "network.port_random.set = no",
            f"network.bind_address.set = {self.address}",
            "dht.mode.set = disable",
            "protocol.pex.set = no",
            "protocol.encryption.set = none",
            "network.scgi.open_local = rpc",
            "network.xmlrpc.size_limit.set = 16M",
        ]
        with open(os.path.join(self.work, "rc"), "w") as file:
            file.write("\n".join(lines) + "\n")
        with open(torrent, "rb") as file:
            self.torrent = file.read()
        self.hash = None
        self.spawn("rtorrent", "-n", "-o", f"import={self.work}/rc")

    def call(self, method, *params):
        body = xmlrpc.client.dumps(params, method).encode()
        head = b"CONTENT_LENGTH\0%d\0SCGI\0001\0" % len(body)
        with socket.socket(socket.AF_UNIX) as scgi:
            scgi.settimeout(5)
            # By way of its own folder: the whole path may be longer than a socket's address can be.
            scgi.connect(f"/proc/{self.process.pid}/cwd/rpc")
            scgi.sendall(b"%d:%s,%s" % (len(head), head, body))
            answer = b"".join(iter(lambda: scgi.recv(65536), b""))
        return xmlrpc.client.loads(answer.split(b"\r\n\r\n", 1)[1])[0][0]

    def seed(self, torrent, folder):
        self.peers = ()
        self.start(torrent, folder)

    def leech(self, torrent, folder, peers=()):
        self.peers = peers
        self.start(torrent, folder)

    def done(self):
        try:
            if self.hash is None:
                if not self.call("download_list", ""):
                    self.call("load.raw_start", "", xmlrpc.client.Binary(self.torrent))
                    return False
                self.hash = self.call("download_list", "")[0]
                for address, port in self.peers:
                    self.call("add_peer", self.hash, f"{address}:{port}")
            return self.call("d.complete", self.hash) == 1 and self.call("d.is_active", self.hash) == 1
        except (FileNotFoundError, ConnectionError):
            return False

    def complaint(self):
        return super().complaint() or (self.hash and self.call("d.message", self.hash)) or None

"""A real game's update, supertuxkart 1.4 -> 1.5 (0.8 GB), killed: 50 updates with one SIGKILL each at a random moment,
and one update killed 20 times.

    cargo build --profile demo -p seedbox -p launcher
    $(tests/scripts/python) tests/benches/kills.py [--updates N] [--kills N] [--seed N] [--plain] [--profile demo]
                                                   [--json] [--dir DIR] [GAME]

After each kill the next start (`verify --quick`) recovers, and every file is hashed here: the folder must hold all of
one release and nothing of another. Then the update is run to its end, and the folder must hold the new release. What all
that took from the network is the seedbox's own count, over HTTP and to peers, beside that of an undisturbed update."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")
BYTES_A_KILL = 4 << 20


def tree(folder):
    """What lies there: kind, executable bit and content of everything but `.samara`."""
    found, files = {}, []
    for place, folders, names in os.walk(folder):
        if place == folder and ".samara" in folders:
            folders.remove(".samara")
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path):
                found[os.path.relpath(path, folder)] = os.readlink(path)
            else:
                files.append(path)

    def content(path):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), bool(os.stat(path).st_mode & 0o111)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, what in zip(files, pool.map(content, files)):
            found[os.path.relpath(path, folder)] = what
    return found


class Seedbox:
    def __init__(self, folder, programs, game):
        self.program, self.game = os.path.join(programs, "seedbox"), game
        self.data, self.keys = os.path.join(folder, "data"), os.path.join(folder, "keys")
        self.run("init")

    def run(self, verb, *more):
        command = [self.program, verb, *more, "--data", self.data, "--keys", self.keys]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def publish(self, build, release, plain):
        packs = ["--base", "none", "--full", "never"] if plain else []
        self.run("publish", build, "--game", self.game, "--release", release, *packs)

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.program, "--json", "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--peer-listen",
             "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = f"http://{json.loads(self.process.stdout.readline())['http']}/"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def sent(self):
        """Bytes it has sent so far, to peers and over HTTP, metadata and all."""
        with urllib.request.urlopen(self.url + "metrics") as answer:
            lines = answer.read().decode().splitlines()
        named = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return sum(int(float(value)) for name, value in named
                   if name.startswith(("seedbox_http_sent_bytes_total", "seedbox_peer_sent_bytes_total"))
                   and "metrics" not in name)


class Player:
    def __init__(self, folder, programs, seedbox):
        self.program, self.seedbox = os.path.join(programs, "launcher"), seedbox
        self.dir, self.kept = os.path.join(folder, "install"), os.path.join(folder, "kept")

    def command(self, *arguments):
        return [self.program, "--json", *arguments, "--dir", self.dir]

    def run(self, *arguments):
        done = subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode:
            raise SystemExit(f"{arguments}: {done.stdout[-800:]}{done.stderr[-800:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def install(self, release):
        root = os.path.join(self.seedbox.data, "public/metadata/root.json")
        self.run("install", "--repo", self.seedbox.url, "--trust", root, "--game", self.seedbox.game, "--listen",
                 "127.0.0.1:0", "--release", release)
        # It follows the default channel from here on, though it was installed by a release's name.
        os.rename(self.dir, self.kept)

    def reset(self):
        """Puts the kept install in place, as if it had always been there: the record names its files' numbers."""
        shutil.rmtree(self.dir, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", self.kept, self.dir], check=True)
        record = os.path.join(self.dir, ".samara/state.json")
        with open(record, encoding="utf-8") as file:
            state = json.load(file)
        for path, listed in state["files"].items():
            if (listed.get("file") or {}).get("guard"):
                listed["file"]["guard"]["ino"] = os.stat(os.path.join(self.dir, path)).st_ino
        with open(record, "w", encoding="utf-8") as file:
            json.dump(state, file, separators=(",", ":"))
        if self.run("verify", "--quick")["wounds"]:
            raise SystemExit("the copy does not look like the install")

    def update(self):
        return self.run("update", "--listen", "127.0.0.1:0")

    def killed_update(self, after):
        """Whether it was killed, and the last phase it told of."""
        child = subprocess.Popen(self.command("update", "--listen", "127.0.0.1:0"), stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
        try:
            said, _ = child.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            said, _ = child.communicate()
        # A line may be cut by the kill.
        phases = [line.split('"phase":"')[1].split('"')[0] for line in said.splitlines() if '"phase":"' in line]
        return child.returncode == -signal.SIGKILL, phases[-1] if phases else "starting"


class Bench:
    def __init__(self, arguments, folder):
        builds = subprocess.run([os.path.join(HERE, "../scripts/builds"), arguments.game], check=True,
                                stdout=subprocess.PIPE, text=True).stdout.split()[:2]
        programs = os.path.join(TARGET, arguments.profile)
        self.random = random.Random(arguments.seed)
        self.seedbox = Seedbox(folder, programs, arguments.game)
        self.seedbox.publish(builds[0], "old", arguments.plain)
        self.seedbox.publish(builds[1], "new", arguments.plain)
        self.player = Player(folder, programs, self.seedbox)
        self.old, self.new = tree(builds[0]), tree(builds[1])
        self.broken, self.phases = [], {}

    def undisturbed(self):
        self.player.reset()
        before, start = self.seedbox.sent(), time.monotonic()
        self.player.update()
        self.whole = time.monotonic() - start
        self.alone = self.seedbox.sent() - before
        self.check("undisturbed", self.new)

    def check(self, what, *allowed):
        found = tree(self.player.dir)
        if found not in allowed:
            wrong = {path for path in found.keys() | self.new.keys() if found.get(path) != self.new.get(path)}
            self.broken.append(f"{what}: {len(wrong)} files differ from the new release, such as {sorted(wrong)[:5]}")

    def killed(self, wanted, what):
        """One update, killed so often; bytes sent for it, and how often it really was killed."""
        self.player.reset()
        before, kills, tries = self.seedbox.sent(), 0, 0
        while kills < wanted and tries < 2 * wanted + 5:
            tries += 1
            # Killed often, the runs share the time of one, so that there is something left to do at the last.
            killed, phase = self.player.killed_update(self.random.uniform(0, self.whole * min(1, 2 / wanted)))
            if killed:
                kills += 1
                self.phases[phase] = self.phases.get(phase, 0) + 1
            self.player.run("verify", "--quick")
            self.check(f"{what}, kill {kills} when {phase}", self.old, self.new)
            if not killed and wanted > 1:
                break
            if not killed:
                # It was done before the moment came: once more, from the start.
                self.player.reset()
                before = self.seedbox.sent()
        self.player.update()
        self.check(f"{what}, then updated", self.new)
        return self.seedbox.sent() - before, kills


def run(arguments, folder):
    bench = Bench(arguments, folder)
    say = (lambda *_: None) if arguments.json else (lambda text: print(text, flush=True))
    with bench.seedbox:
        bench.player.install("old")
        bench.undisturbed()
        say(f"undisturbed: {bench.alone / 1e6:.1f} MB sent, {bench.whole:.2f} s")
        over = []
        for update in range(arguments.updates):
            sent, kills = bench.killed(1, f"update {update + 1}")
            over.append((sent - bench.alone, kills))
            say(f"update {update + 1}: {kills} kill, {over[-1][0] / 1e6:+.2f} MB against undisturbed")
        sent, kills = bench.killed(arguments.kills, "the update killed often")
        often = sent - bench.alone
        say(f"killed {kills} times: {often / 1e6:+.2f} MB against undisturbed")
    single = [extra for extra, kills in over if kills]
    good = not bench.broken and all(extra <= BYTES_A_KILL * kills for extra, kills in [*over, (often, kills)])
    return {"game": arguments.game, "seed": arguments.seed, "plain": arguments.plain, "undisturbed_bytes": bench.alone,
            "undisturbed_s": bench.whole, "updates_killed_once": len(single),
            "extra_bytes_worst": max(single, default=0), "extra_bytes_mean": sum(single) / max(len(single), 1),
            "killed_often": kills, "killed_often_extra_bytes": often, "allowed_bytes_a_kill": BYTES_A_KILL,
            "phases": bench.phases, "broken": bench.broken, "within_limits": good}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", nargs="?", default="supertuxkart")
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--plain", action="store_true", help="without packs: changed files are fetched as they are")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--dir", help="a folder on the disk to use; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="samara-kills-") as folder:
        found = run(arguments, folder)
    if arguments.json:
        print(json.dumps(found))
    else:
        print(f"{found['updates_killed_once']} updates killed once each, one {found['killed_often']} times "
              f"(seed {found['seed']}; killed when {found['phases']})")
        print(f"broken installs: {len(found['broken'])}")
        print("\n".join(found["broken"]))
        print(f"network bytes: undisturbed {found['undisturbed_bytes'] / 1e6:.1f} MB; a kill cost at most "
              f"{found['extra_bytes_worst'] / 1e6:+.2f} MB, {found['extra_bytes_mean'] / 1e6:+.2f} on average; "
              f"{found['killed_often']} kills {found['killed_often_extra_bytes'] / 1e6:+.2f} MB; allowed "
              f"{BYTES_A_KILL / 1e6:.1f} MB a kill")
    sys.exit(0 if found["within_limits"] else 1)


if __name__ == "__main__":
    main()

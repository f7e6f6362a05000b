"""Our torrents have exactly the info-hashes that libtorrent computes for the same tree: 20 random trees, three kinds each."""

import json
import os
import random
import subprocess

import libtorrent as lt

from world import program, run_all

KINDS = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}
NAMES = ["a", "B", "data", "Größe", "größe 2", "鳥の種", "e\u0301", "x" * 100, "with space", ".hidden", "0", "zz.pak", "Ω"]


def sizes(dice, piece_len):
    """The lengths at which layouts turn: nothing, a byte, blocks and pieces, each with one more and one less."""
    edges = [0, 0, 1, 2, 16383, 16384, 16385, piece_len - 1, piece_len, piece_len + 1, 2 * piece_len, 3 * piece_len]
    return dice.choice(edges + [dice.randrange(1, 8 * piece_len)])


def write(path, dice, size, executable=False):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(dice.randbytes(size))
    os.chmod(path, 0o755 if executable else 0o644)


def make(root, seed, piece_len):
    """Tree number `seed`; the first ones are single files."""
    dice = random.Random(seed)
    if seed < 4:
        write(root, dice, [1, piece_len, 5 * piece_len + 7, 4 * piece_len][seed])
        return
    folders = [root]
    for _ in range(dice.randrange(6)):
        folders.append(os.path.join(dice.choice(folders), f"{dice.choice(NAMES)}.d"))
    if seed % 5 == 0:
        folders.append(os.path.join(root, *["deep"] * 30))
    write(os.path.join(root, "never empty"), dice, 1 + sizes(dice, piece_len))
    for _ in range(dice.randrange(1, 25)):
        path = os.path.join(dice.choice(folders), dice.choice(NAMES))
        if not os.path.exists(path):
            write(path, dice, sizes(dice, piece_len), executable=dice.random() < 0.2)


def theirs(root, piece_len, kind):
    files = lt.list_files(root)
    # In v1 the order of files is the maker's choice; ours is the one that v2 prescribes.
    files = sorted(files, key=lambda file: [part.encode() for part in file.filename.split("/")])
    torrent = lt.create_torrent(files, piece_len, KINDS[kind])
    lt.set_piece_hashes(torrent, os.path.dirname(root))
    info = lt.torrent_info(lt.bdecode(lt.bencode(torrent.generate())))
    hashes = info.info_hashes()
    return str(hashes.v1) if hashes.has_v1() else None, str(hashes.v2) if hashes.has_v2() else None


def ours(root, piece_len, kind):
    command = [program("mktorrent"), "--mode", kind, "--piece-len", str(piece_len), root]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["info_hash_v1"], answer["info_hash_v2"]


def case(seed):
    def compare(scratch):
        piece_len = [16384, 32768, 65536][seed % 3]
        root = scratch("tree", "game")
        os.makedirs(scratch("tree"))
        make(root, seed, piece_len)
        wrong = [kind for kind in KINDS if ours(root, piece_len, kind) != theirs(root, piece_len, kind)]
        if wrong:
            raise AssertionError(f"tree {seed}, pieces of {piece_len}: other hashes as {wrong}")

    return compare


if __name__ == "__main__":
    run_all("info-hashes as libtorrent computes them", [(f"tree {seed}", case(seed)) for seed in range(20)])

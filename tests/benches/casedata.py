"""Builds for `packcases.py`, from a seed: a large file that changed in many places, archives of which some entries
changed, zips of text and images.

The same seed and scale give the same builds wherever zlib is the same; nothing is downloaded. A case's `old` and
`new` are folders."""

import os
import random
import shutil
import struct
import subprocess
import zipfile
import zlib
from dataclasses import dataclass, field

MIB = 1 << 20
# Maps even noise to symbols that an entropy coder gets down to about two thirds, with nothing in it that repeats.
SKEWED = bytes(min(symbol, 255 - symbol) // (1 + symbol % 5) for symbol in range(256))


def seeded(seed, *words):
    """Random numbers for one purpose: what another one draws does not change them."""
    return random.Random(f"{seed}/" + "/".join(map(str, words)))


def block(dice, count):
    """Bytes of a game's large files: every other run compressed already, every other one not."""
    return dice.randbytes(count) if dice.random() < 0.5 else dice.randbytes(count).translate(SKEWED)


# ---- A file with scattered changes ------------------------------------------------------------------------------------


@dataclass
class Scattered:
    """A file with small changes all over it, and an insertion near its front."""

    old: str
    new: str
    # What was inserted and what changed, end to end.
    changed: bytes = b""


def scattered(folder, seed, size, changes, insertion, replacing_only=False):
    """Replaces 70 of 100 changes by other bytes of the same length; 15 insert, 15 take bytes out."""
    case = Scattered(os.path.join(folder, "old"), os.path.join(folder, "new"))
    os.makedirs(case.old), os.makedirs(case.new)
    dice = seeded(seed, "changes")
    places = sorted(dice.sample(range(size // 16), changes))
    lens = [dice.randint(1, 200) for _ in places]
    kinds = ["replace" if replacing_only else dice.choices(("replace", "insert", "delete"), (70, 15, 15))[0]
             for _ in places]
    pending = [(place * 16, kind, count) for place, kind, count in zip(places, kinds, lens)]
    if insertion:
        pending.append((size // 100, "insert", insertion))
    pending.sort()
    changed, at, unit = [], 0, 4 * MIB
    with open(os.path.join(case.old, "data.bin"), "wb") as old, open(os.path.join(case.new, "data.bin"), "wb") as new:
        while at < size:
            part = block(seeded(seed, "block", at), min(unit, size - at))
            old.write(part)
            done = 0
            while pending and pending[0][0] < at + len(part):
                place, kind, count = pending.pop(0)
                place = max(place - at, done)
                new.write(part[done:place])
                done = place
                if kind != "delete":
                    fresh = b"".join(block(dice, min(MIB, count - start)) for start in range(0, count, MIB))
                    new.write(fresh)
                    changed.append(fresh)
                if kind != "insert":
                    done = min(len(part), done + count)
            new.write(part[done:])
            at += len(part)
    case.changed = b"".join(changed)
    return case


# ---- Archives of stored entries -----------------------------------------------------------------------------------------


@dataclass
class Archives:
    """An archive with its directory at the end, and the entries that differ."""

    old: str
    new: str
    # (old bytes, new bytes) of an entry that changed in part.
    changed: list = field(default_factory=list)
    # Bytes of entries that are new.
    fresh: int = 0


def entry_len(dice, mean):
    return max(1000, int(mean * dice.lognormvariate(-0.5, 1.0)))


def changed_in_part(dice, entry):
    """One run replaced, a few patches, or something taken in: what a game's packed files do."""
    fresh = bytearray(entry)
    kind = dice.randrange(3)
    if kind == 0:
        count = max(1, int(len(entry) * dice.uniform(0.02, 0.3)))
        at = dice.randrange(max(1, len(entry) - count))
        fresh[at:at + count] = dice.randbytes(count)
    elif kind == 1:
        for _ in range(dice.randint(1, 12)):
            count = min(len(entry), dice.choice((4, 16, 64, 1024, 4096)))
            at = dice.randrange(len(entry) - count + 1)
            fresh[at:at + count] = dice.randbytes(count)
    else:
        at = dice.randrange(len(entry))
        fresh[at:at] = dice.randbytes(max(1, int(len(entry) * dice.uniform(0.01, 0.2))))
    return bytes(fresh)


class Pak:
    """Magic, where the directory is, entries end to end, the directory: name, offset, length of each."""

    def __init__(self, path):
        self.file, self.entries = open(path, "wb"), []
        self.file.write(struct.pack("<4sQQ", b"PACK", 0, 0))

    def add(self, name, bytes_):
        self.entries.append((name.encode(), self.file.tell(), len(bytes_)))
        self.file.write(bytes_)

    def close(self):
        start = self.file.tell()
        for name, at, count in self.entries:
            self.file.write(struct.pack("<56sQQ", name, at, count))
        self.file.seek(0)
        self.file.write(struct.pack("<4sQQ", b"PACK", start, len(self.entries)))
        self.file.close()


class StoredZip:
    """Local headers, entries, directory."""

    def __init__(self, path, year):
        self.zip, self.date = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED), (year, 5, 4, 3, 2, 2)

    def add(self, name, bytes_):
        self.zip.writestr(zipfile.ZipInfo(name, self.date), bytes_)

    def close(self):
        self.zip.close()


def archives(folder, seed, size, entries, kind):
    """15 of 100 entries change in part, 4 are new."""
    case = Archives(os.path.join(folder, "old"), os.path.join(folder, "new"))
    os.makedirs(case.old), os.makedirs(case.new)
    opened = [Pak(os.path.join(where, "data.pak")) for where in (case.old, case.new)] if kind == "pak" else \
        [StoredZip(os.path.join(case.old, "data.zip"), 2021), StoredZip(os.path.join(case.new, "data.zip"), 2022)]
    lots = ["changed"] * (entries * 15 // 100) + ["new"] * (entries * 4 // 100)
    lots += ["same"] * (entries - len(lots))
    seeded(seed, "lots").shuffle(lots)
    for at, lot in enumerate(lots):
        dice = seeded(seed, "entry", at)
        name, bytes_ = f"art/{dice.randrange(40):02}/{at:05}.dds", dice.randbytes(entry_len(dice, size / entries))
        if lot != "new":
            opened[0].add(name, bytes_)
        if lot == "changed":
            later = changed_in_part(dice, bytes_)
            case.changed.append((bytes_, later))
            bytes_ = later
        if lot == "new":
            case.fresh += len(bytes_)
        opened[1].add(name, bytes_)
    for one in opened:
        one.close()
    return case


# ---- Zips of deflated files -----------------------------------------------------------------------------------------------

WORDS = "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but " \
        "not what all were we when your can said there use an each which she do how their if will up other about out " \
        "many then them these so some her would make like him into time has look two more write go see number no way".split()


def text(dice, count):
    """Lines as in a game's rules and dialogues."""
    lines, total = [], 0
    while total < count:
        words = " ".join(dice.choices(WORDS, k=dice.randint(3, 14)))
        line = dice.choice(('  "{}" = "{}"\n', "{}: {}.\n", "<p id='{}'>{}</p>\n")).format(dice.randrange(99999), words)
        lines.append(line)
        total += len(line)
    return "".join(lines).encode()


def changed_text(dice, old):
    """A few lines are other lines, one or two are new."""
    lines = old.splitlines(keepends=True)
    for _ in range(dice.randint(1, 4)):
        lines[dice.randrange(len(lines))] = text(dice, 40)
    lines[(at := dice.randrange(len(lines))):at] = [text(dice, 60)]
    return b"".join(lines)


def less(a, b):
    """Byte by byte a - b, modulo 256: one subtraction of long numbers that borrows nothing from byte to byte."""
    high = int.from_bytes(b"\x80" * len(a))
    a, b, count = int.from_bytes(a), int.from_bytes(b), len(a)
    return (((a | high) - (b & ~high)) ^ ((a ^ ~b) & high)).to_bytes(count)


@dataclass
class Picture:
    """Rows of RGB: slopes, on every other picture with grain as of a photo, and boxes on them."""

    width: int
    height: int
    rows: list

    @classmethod
    def drawn(cls, dice, side):
        width, height = side, max(8, int(side * dice.uniform(0.5, 1.2)))
        count, mask = width * 3, int.from_bytes(dice.choice((b"\0", b"\37")) * width * 3)
        across, down = dice.uniform(-1.5, 1.5), dice.uniform(-1, 1)
        slope = bytes(min(255, max(0, 100 + int(across * x))) for x in range(width) for _ in range(3))
        rows = []
        for y in range(height):
            lighter = bytes(min(255, max(0, value + int(down * y))) for value in range(256))
            smooth, grain = int.from_bytes(slope.translate(lighter)), int.from_bytes(dice.randbytes(count))
            rows.append(bytearray((smooth & ~mask | grain & mask).to_bytes(count)))
        picture = cls(width, height, rows)
        for _ in range(6):
            picture.box(dice)
        return picture

    def box(self, dice):
        wide, high = dice.randint(3, self.width // 3), dice.randint(2, self.height // 4)
        left, top, colour = dice.randrange(self.width - wide), dice.randrange(self.height - high), dice.randbytes(3)
        for row in self.rows[top:top + high]:
            row[left * 3:(left + wide) * 3] = colour * wide

    def bmp(self):
        """Bare pixels, rows padded to words."""
        pad = bytes(-self.width * 3 % 4)
        pixels = b"".join(bytes(row) + pad for row in reversed(self.rows))
        head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
        return head + struct.pack("<IiiHHIIiiII", 40, self.width, self.height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + pixels

    def png(self):
        """Each row less the one above it, deflated."""
        above, rows = bytes(self.width * 3), []
        for row in self.rows:
            rows.append(b"\2" + less(row, above))
            above = row

        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) + \
            chunk(b"IEND", b"")


@dataclass
class Zipped:
    """The same files as folders, and the zips made of them by name of the encoder: (old folder, new folder)."""

    old: str
    new: str
    zips: dict = field(default_factory=dict)


def files(folder, seed, count, changes):
    """A folder of text, bare and compressed pictures, and what it becomes when `changes` of them change."""
    case = Zipped(os.path.join(folder, "old"), os.path.join(folder, "new"))
    touched = set(seeded(seed, "touched").sample(range(count), changes))
    for at in range(count):
        dice = seeded(seed, "file", at)
        kind = dice.choices(("txt", "bmp", "png"), (60, 20, 20))[0]
        if kind == "txt":
            name, old = f"text/{at % 37:02}/{at:04}.txt", text(dice, int(12_000 * dice.lognormvariate(-0.3, 0.8)))
            new = changed_text(dice, old) if at in touched else old
        else:
            picture = Picture.drawn(dice, dice.choice((24, 32, 48, 64, 96, 128)))
            name, old = f"art/{at % 29:02}/{at:04}.{kind}", getattr(picture, kind)()
            if at in touched:
                picture.box(dice)
            new = getattr(picture, kind)()
        for root, bytes_ in ((case.old, old), (case.new, new)):
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(bytes_)
            # A file that did not change keeps its date, as in a studio's tree.
            date = 1_600_000_000 if root == case.old or old == new else 1_650_000_000
            os.utime(path, (date, date))
    return case


class Pipe:
    """A file that cannot seek: what writes a zip into it leaves lengths and checksums behind each entry."""

    def __init__(self, file):
        self.file = file

    def write(self, bytes_):
        return self.file.write(bytes_)

    def flush(self):
        self.file.flush()


def names_in(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def by_zipfile(level, piped=False):
    def make(folder, out):
        with open(out, "wb") as file:
            with zipfile.ZipFile(Pipe(file) if piped else file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as zip_:
                for name in names_in(folder):
                    zip_.write(os.path.join(folder, name), name)
    return make


def by_info_zip(level, piped=False):
    def make(folder, out):
        command = ["zip", "-q", f"-{level}", "-X", "-@", "-" if piped else out]
        with open(out if piped else os.devnull, "wb") as file:
            subprocess.run(command, input="\n".join(names_in(folder)).encode(), stdout=file, cwd=folder, check=True)
    return make


def by_jar(folder, out):
    subprocess.run(["jar", "--create", "--no-manifest", "--file", out, "-C", folder, "."], check=True)


# Name, the zip's ending, the program it takes, how it is made.
ENCODERS = [
    ("zlib level 6", "zip", None, by_zipfile(6)),
    ("zlib level 9", "pk3", None, by_zipfile(9)),
    ("zlib level 1", "zip", None, by_zipfile(1)),
    ("zlib level 6, descriptors", "dat", None, by_zipfile(6, piped=True)),
    ("Info-ZIP -6", "zip", "zip", by_info_zip(6)),
    ("Info-ZIP -9, piped", "wz", "zip", by_info_zip(9, piped=True)),
    ("jar", "jar", "jar", by_jar),
]


def zips(case, folder):
    """Packs both folders with every encoder that is there; tells which are not."""
    missing = []
    for at, (name, ending, program, make) in enumerate(ENCODERS):
        if program and not shutil.which(program):
            missing.append(name)
            continue
        pair = []
        for which, source in (("old", case.old), ("new", case.new)):
            pair.append(where := os.path.join(folder, f"zip-{at}", which))
            os.makedirs(where)
            make(source, os.path.join(where, f"data.{ending}"))
        case.zips[name] = tuple(pair)
    return missing

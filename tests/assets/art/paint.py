#!/usr/bin/env python3
"""Paints the art of five games that do not exist, for tests, the demo and the pictures in docs/.

    python3 paint.py [FOLDER]

Always the same pictures; it needs Pillow (python3-pil). They are painted at twice their size and scaled down, which
makes edges smooth, and kept in 256 colours, which makes the files small.
"""

import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

HERO = (1280, 480)
ICON = (256, 256)
SMOOTH = 2


def mix(one, other, part):
    """A colour between two."""
    part = max(0.0, min(1.0, part))
    return tuple(round(a + (b - a) * part) for a, b in zip(one, other))


def sky(size, stops):
    """A picture whose colour goes from the top to the bottom: pairs of a place (0 to 1) and a colour."""
    width, height = size
    column = Image.new("RGB", (1, height))
    for y in range(height):
        at = y / (height - 1)
        for (low, one), (high, other) in zip(stops, stops[1:]):
            if low <= at <= high:
                column.putpixel((0, y), mix(one, other, (at - low) / (high - low)))
    return column.resize((width, height))


def ridge(rng, width, base, rise, steps):
    """The upper edge of hills: points from the left to the right; the midpoint of each part is moved, again and again."""
    points = [base + rng.uniform(-rise, rise) for _ in range(3)]
    for _ in range(steps):
        finer = []
        for one, other in zip(points, points[1:]):
            finer += [one, (one + other) / 2 + rng.uniform(-rise, rise)]
        points, rise = finer + [points[-1]], rise * 0.52
    return [(width * at / (len(points) - 1), y) for at, y in enumerate(points)]


def fill(picture, edge, color):
    """All that is below an edge."""
    width, height = picture.size
    ImageDraw.Draw(picture).polygon([*edge, (width, height), (0, height)], fill=color)


def glow(picture, color, draw, blur):
    """Light: what `draw` puts in white onto black, made soft and added in this colour."""
    light = Image.new("L", picture.size)
    draw(ImageDraw.Draw(light))
    picture.paste(Image.new("RGB", picture.size, color), mask=light.filter(ImageFilter.GaussianBlur(blur)))


def dot(draw, x, y, radius, color):
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)


def aurora(size):
    """Northern lights above mountains and a lake."""
    rng = random.Random(7)
    width, height = size
    picture = sky(size, [(0, (6, 12, 38)), (0.55, (18, 58, 84)), (0.75, (46, 110, 116)), (1, (46, 110, 116))])
    draw = ImageDraw.Draw(picture)
    for _ in range(width // 17):
        bright = rng.randrange(90, 230)
        dot(draw, rng.uniform(0, width), rng.uniform(0, height * 0.6), rng.choice([1, 1, 2, 3]), (bright, bright, 255))
    for color, low, wave in [((46, 210, 150), 0.46, 0.5), ((90, 235, 170), 0.34, 2.1), ((150, 110, 230), 0.22, 4.0)]:

        def curtain(draw, low=low, wave=wave):
            for x in range(0, width, 4):
                at = x / height
                foot = height * (low + 0.09 * math.sin(at * 2.3 + wave) + 0.03 * math.sin(at * 7.1 + wave))
                tall = height * (0.2 + 0.08 * math.sin(at * 5.3 + wave * 2))
                for part in range(14):
                    y = foot - tall * part / 14
                    draw.rectangle([x, y - tall / 14, x + 4, y], fill=round(175 * (1 - part / 14) ** 1.4))

        glow(picture, color, curtain, height / 48)
    for base, rise, color in [(0.66, 0.10, (28, 66, 88)), (0.72, 0.08, (18, 44, 64)), (0.77, 0.04, (10, 27, 44))]:
        fill(picture, ridge(rng, width, height * base, height * rise, 5), color)
    shore = round(height * 0.8)
    mirrored = picture.crop((0, shore - (height - shore) * 2, width, shore)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    water = Image.blend(mirrored.resize((width, height - shore)), Image.new("RGB", (width, height - shore), (8, 24, 42)), 0.45)
    picture.paste(water, (0, shore))
    draw = ImageDraw.Draw(picture)
    for x in range(0, width, round(height / 22)):
        tall = height * rng.uniform(0.04, 0.1)
        if rng.random() < 0.6:
            foot = shore + height * 0.004
            for part in range(3):
                top = foot - tall * (0.4 + 0.3 * part)
                wide = tall * (0.26 - 0.06 * part)
                draw.polygon([(x, top), (x - wide, top + tall * 0.42), (x + wide, top + tall * 0.42)], fill=(5, 15, 27))
    return picture


def harbour(size):
    """A town by the sea in the evening, and a boat."""
    rng = random.Random(21)
    width, height = size
    sea = round(height * 0.72)
    picture = sky(size, [(0, (58, 36, 92)), (0.35, (188, 78, 104)), (0.72, (255, 190, 110)), (1, (255, 190, 110))])
    sun = (width * 0.56 if width == height else width * 0.62, sea - height * 0.1)
    glow(picture, (255, 236, 180), lambda draw: dot(draw, *sun, height * 0.24, 130), height / 14)
    dot(ImageDraw.Draw(picture), *sun, height * 0.13, (255, 244, 206))
    fill(picture, ridge(rng, width, sea - height * 0.07, height * 0.05, 5), (170, 84, 112))
    picture.paste(sky((width, height - sea), [(0, (236, 140, 104)), (0.3, (150, 70, 106)), (1, (52, 34, 78))]), (0, sea))
    draw = ImageDraw.Draw(picture)
    for row in range(1, 16):
        y = sea + (height - sea) * (row / 16) ** 1.4
        for _ in range(2):
            wide, x = height * rng.uniform(0.03, 0.14) * (0.6 + row / 16), sun[0] + height * rng.gauss(0, 0.09 + row / 90)
            draw.rounded_rectangle([x - wide, y, x + wide, y + height / 130], height / 260, fill=mix((255, 226, 160), (190, 96, 110), row / 16))
    x = 0.0
    while x < width:
        wide, tall = height * rng.uniform(0.07, 0.13), height * rng.uniform(0.12, 0.3)
        if abs(x + wide / 2 - sun[0]) > height * 0.3:
            tall *= min(1.0, 0.35 + abs(x - sun[0]) / width * 1.6)
            wall = mix((64, 38, 84), (112, 56, 94), rng.random())
            top = sea - tall
            draw.rectangle([x, top, x + wide, sea], fill=wall)
            draw.polygon([(x - height * 0.008, top), (x + wide / 2, top - wide * 0.55), (x + wide + height * 0.008, top)], fill=mix(wall, (30, 18, 50), 0.5))
            pane = height * 0.018
            for row in range(1, int(tall / (pane * 2.4))):
                for column in (0.28, 0.72):
                    if rng.random() < 0.55:
                        left, high = x + wide * column - pane / 2, top + row * pane * 2.2 - pane * 0.6
                        draw.rectangle([left, high, left + pane, high + pane * 1.25], fill=(255, 214, 130))
        x += wide
    draw.rectangle([0, sea - height * 0.006, width, sea + height * 0.008], fill=(46, 28, 66))
    at, water, hull = (width * 0.4 if width == height else width * 0.45), sea + height * 0.13, height * 0.13
    dark = (34, 20, 52)
    draw.polygon([(at - hull, water - hull * 0.28), (at + hull * 1.1, water - hull * 0.34), (at + hull * 0.75, water), (at - hull * 0.75, water)], fill=dark)
    draw.line([(at, water), (at, water - hull * 1.9)], fill=dark, width=round(height / 110))
    draw.polygon([(at + hull * 0.06, water - hull * 1.85), (at + hull * 0.06, water - hull * 0.42), (at + hull * 0.85, water - hull * 0.42)], fill=(255, 226, 184))
    draw.polygon([(at - hull * 0.06, water - hull * 1.6), (at - hull * 0.06, water - hull * 0.42), (at - hull * 0.6, water - hull * 0.42)], fill=(240, 178, 140))
    return picture


def circuit(size):
    """A road at night that leads to a striped sun."""
    rng = random.Random(4)
    width, height = size
    far = height * 0.6
    picture = sky(size, [(0, (14, 6, 40)), (0.45, (62, 14, 96)), (0.6, (196, 40, 130)), (1, (196, 40, 130))])
    draw = ImageDraw.Draw(picture)
    for _ in range(width // 20):
        bright = rng.randrange(90, 240)
        dot(draw, rng.uniform(0, width), rng.uniform(0, far * 0.7), rng.choice([1, 1, 2, 3]), (bright, bright - 30, 255))
    middle, radius = width / 2, height * 0.31
    glow(picture, (255, 110, 140), lambda draw: dot(draw, middle, far - radius * 0.62, radius * 1.15, 120), height / 16)
    sun = Image.new("L", size)
    cut = ImageDraw.Draw(sun)
    dot(cut, middle, far - radius * 0.62, radius, 255)
    for band in range(7):
        y = far - radius * 0.78 + band * radius * 0.125
        cut.rectangle([0, y, width, y + height * (0.005 + band * 0.0035)], fill=0)
    picture.paste(sky(size, [(0, (255, 226, 110)), (0.25, (255, 226, 110)), (0.6, (255, 64, 140)), (1, (255, 64, 140))]), mask=sun)
    fill(picture, ridge(rng, width, far - height * 0.02, height * 0.05, 4), (36, 10, 66))
    draw = ImageDraw.Draw(picture)
    draw.rectangle([0, far, width, height], fill=(20, 6, 46))

    def grid(draw):
        for column in range(-40, 41):
            draw.line([(middle + column * height * 0.045, far), (middle + column * height * 0.36, height)], fill=200, width=round(height / 240))
        for row in range(12):
            y = far + (height - far) * (row / 11) ** 2.2
            draw.line([(0, y), (width, y)], fill=200, width=round(height / 240))

    glow(picture, (70, 220, 255), grid, height / 400)
    draw = ImageDraw.Draw(picture)
    road = [(middle - height * 0.022, far), (middle + height * 0.022, far), (middle + height * 0.42, height), (middle - height * 0.42, height)]
    draw.polygon(road, fill=(16, 8, 30))
    for one, other in ((road[0], road[3]), (road[1], road[2])):
        draw.line([one, other], fill=(255, 80, 170), width=round(height / 90))
    for part in range(8):
        near, end = (part / 8) ** 2, ((part + 0.5) / 8) ** 2
        y, low = far + (height - far) * near, far + (height - far) * end
        draw.polygon([(middle - height * 0.016 * near, y), (middle + height * 0.016 * near, y), (middle + height * 0.016 * end, low), (middle - height * 0.016 * end, low)], fill=(255, 240, 250))
    draw.line([(0, far), (width, far)], fill=(120, 235, 255), width=round(height / 160))
    return picture


def maple(size):
    """A valley in autumn, with a farm."""
    rng = random.Random(11)
    width, height = size
    picture = sky(size, [(0, (104, 170, 196)), (0.4, (236, 214, 160)), (0.55, (250, 226, 170)), (1, (250, 226, 170))])
    glow(picture, (255, 248, 214), lambda draw: dot(draw, width * 0.3, height * 0.34, height * 0.13, 200), height / 24)
    far = [(0.46, 0.06, (176, 176, 150)), (0.54, 0.06, (196, 158, 92)), (0.64, 0.05, (186, 128, 58))]
    for base, rise, color in far:
        fill(picture, ridge(rng, width, height * base, height * rise, 3), color)

    def tree(x, y, tall):
        draw = ImageDraw.Draw(picture)
        crown = rng.choice([(196, 62, 38), (222, 98, 36), (236, 150, 44), (170, 40, 40)])
        draw.rectangle([x - tall * 0.05, y - tall * 0.5, x + tall * 0.05, y], fill=(84, 50, 38))
        for across, up, part in ((0, 0.72, 0.3), (-0.2, 0.55, 0.22), (0.2, 0.56, 0.22)):
            dot(draw, x + tall * across, y - tall * up, tall * part, crown)
        dot(draw, x - tall * 0.09, y - tall * 0.8, tall * 0.14, mix(crown, (255, 214, 140), 0.35))

    for _ in range(round(width / height * 9)):
        tree(rng.uniform(0, width), height * rng.uniform(0.62, 0.7), height * rng.uniform(0.06, 0.1))
    fill(picture, [(x, height * (0.74 + 0.05 * math.sin(x / height * 1.7 + 0.6))) for x in range(0, width + 20, 20)], (150, 132, 56))
    draw = ImageDraw.Draw(picture)
    x, foot, wide = width * (0.52 if width == height else 0.57), height * 0.79, height * 0.17
    draw.rectangle([x, foot - wide * 0.6, x + wide, foot], fill=(172, 52, 44))
    draw.polygon([(x - wide * 0.08, foot - wide * 0.58), (x + wide * 0.5, foot - wide * 1.1), (x + wide * 1.08, foot - wide * 0.58)], fill=(92, 50, 46))
    draw.rectangle([x + wide * 0.36, foot - wide * 0.36, x + wide * 0.64, foot], fill=(246, 232, 206))
    draw.rectangle([x + wide * 0.42, foot - wide * 0.84, x + wide * 0.58, foot - wide * 0.68], fill=(246, 232, 206))
    fill(picture, [(x, height * (0.86 + 0.04 * math.sin(x / height * 2.1 + 3.4))) for x in range(0, width + 20, 20)], (112, 106, 48))
    for _ in range(round(width / height * 4)):
        x = rng.uniform(0, width)
        if abs(x - width * 0.6) > height * 0.3:
            tree(x, height * rng.uniform(0.84, 0.92), height * rng.uniform(0.2, 0.3))
    fill(picture, [(x, height * (0.95 + 0.02 * math.sin(x / height * 3.3))) for x in range(0, width + 20, 20)], (78, 80, 42))
    return picture


def lantern(size):
    """Paper lanterns above a lake at night."""
    rng = random.Random(5)
    width, height = size
    shore = round(height * 0.7)
    picture = sky(size, [(0, (10, 14, 44)), (0.5, (36, 34, 86)), (0.7, (92, 66, 116)), (1, (92, 66, 116))])
    draw = ImageDraw.Draw(picture)
    for _ in range(width // 18):
        bright = rng.randrange(80, 200)
        dot(draw, rng.uniform(0, width), rng.uniform(0, shore * 0.8), rng.choice([1, 1, 2]), (bright, bright, 240))
    lanterns = [(width * (0.5 if width == height else 0.47), height * 0.36, height * 0.1)]
    for _ in range(round(width / height * 8)):
        lanterns.append((rng.uniform(0, width), height * rng.uniform(0.06, 0.6), height * rng.choice([0.02, 0.03, 0.045, 0.065])))

    def lights(draw):
        for x, y, radius in lanterns:
            dot(draw, x, y, radius * 2.1, 120)

    fill(picture, ridge(rng, width, height * 0.64, height * 0.05, 5), (34, 26, 66))
    fill(picture, ridge(rng, width, height * 0.68, height * 0.02, 5), (20, 16, 48))
    glow(picture, (255, 170, 80), lights, height / 28)
    draw = ImageDraw.Draw(picture)
    for x, y, radius in sorted(lanterns, key=lambda one: one[2]):
        draw.rounded_rectangle([x - radius * 0.8, y - radius, x + radius * 0.8, y + radius], radius * 0.5, fill=(255, 186, 92))
        draw.rounded_rectangle([x - radius * 0.45, y - radius * 0.5, x + radius * 0.45, y + radius * 0.9], radius * 0.4, fill=(255, 228, 160))
        draw.rectangle([x - radius * 0.5, y + radius * 0.88, x + radius * 0.5, y + radius * 1.05], fill=(120, 60, 50))
    mirrored = picture.crop((0, shore - (height - shore) * 2, width, shore)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    water = Image.blend(mirrored.resize((width, height - shore)), Image.new("RGB", (width, height - shore), (14, 14, 46)), 0.5)
    picture.paste(water, (0, shore))
    draw = ImageDraw.Draw(picture)
    for _ in range(round(width / height * 10)):
        x, y, wide = rng.uniform(0, width), rng.uniform(shore, height), height * rng.uniform(0.03, 0.1)
        draw.line([(x, y), (x + wide, y)], fill=(70, 56, 104), width=round(height / 220))
    return picture


PAINTINGS = {"aurora": aurora, "harbour": harbour, "circuit": circuit, "maple": maple, "lantern": lantern}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, paint in PAINTINGS.items():
        for kind, size in (("icon", ICON), ("hero", HERO)):
            large = paint(tuple(side * SMOOTH for side in size))
            small = large.resize(size, Image.Resampling.LANCZOS)
            few = small.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(folder / f"{name}-{kind}.png", optimize=True)


main()

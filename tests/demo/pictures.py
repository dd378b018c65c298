"""Small flat drawings that stand where a real project has site photographs.

Every scene is one function over a `Canvas`; each picture carries the mark 示意图. Coordinates are
those of a 960 × 640 picture; the canvas mirrors even variants so that pictures differ in layout.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont
from pylopdf_fonts_zh_cn import sans_path
from scenes_b import book_shelves, guard_rail, reading_room, road_bridge

WIDTH, HEIGHT = 960, 640
_SCALE = 2  # drawn large, then reduced: smooth edges
_COLOURS = 48

SKIES = {
    1: ((150, 196, 232), (226, 240, 248)),
    2: ((118, 176, 222), (214, 232, 244)),
    3: ((176, 186, 196), (222, 226, 228)),
    4: ((228, 178, 132), (246, 226, 196)),
}
ACCENTS = {1: "#2f6fa8", 2: "#2e8b57", 3: "#b5542d", 4: "#7a4f9a"}
DARK, STEEL, CONCRETE, ASPHALT = "#33414d", "#8c9aa5", "#c9cdd0", "#5d6468"
GRASS, LEAF, TRUNK, WATER, GLASS = "#86b26a", "#4f8a4b", "#7b5a3c", "#5f9bb5", "#bcd9e6"
BRICK, CREAM, WOOD, WHITE, SKIN = "#b98268", "#f0e6d2", "#b58a5a", "#fafafa", "#e8c4a2"

Points = Sequence[tuple[float, float]]


class Canvas:
    """A drawing surface with the few shapes the scenes need."""

    def __init__(self, variant: int, seed: str) -> None:
        self.variant = variant
        self.mirrored = variant % 2 == 0
        self.accent = ACCENTS[variant]
        self.random = random.Random(seed)  # noqa: S311
        self.image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), WHITE)
        self._draw = ImageDraw.Draw(self.image)

    def _x(self, x: float) -> float:
        return (WIDTH - x if self.mirrored else x) * _SCALE

    def rect(self, x: float, y: float, w: float, h: float, colour: str, radius: float = 0) -> None:
        left, right = sorted((self._x(x), self._x(x + w)))
        box = (left, y * _SCALE, right, (y + h) * _SCALE)
        self._draw.rounded_rectangle(box, radius * _SCALE, fill=colour)

    def poly(self, points: Points, colour: str) -> None:
        self._draw.polygon([(self._x(x), y * _SCALE) for x, y in points], fill=colour)

    def line(self, points: Points, colour: str, width: float = 3) -> None:
        scaled = [(self._x(x), y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(width * _SCALE), joint="curve")

    def oval(self, x: float, y: float, rx: float, ry: float, colour: str) -> None:
        cx = self._x(x)
        box = (cx - rx * _SCALE, (y - ry) * _SCALE, cx + rx * _SCALE, (y + ry) * _SCALE)
        self._draw.ellipse(box, fill=colour)

    def disc(self, x: float, y: float, r: float, colour: str) -> None:
        self.oval(x, y, r, r, colour)

    def text(self, x: float, y: float, words: str, size: float, colour: str = WHITE) -> None:
        font = ImageFont.truetype(sans_path(), round(size * _SCALE))
        self._draw.text((self._x(x), y * _SCALE), words, font=font, fill=colour, anchor="mm")

    def sky(self, horizon: float, ground: str = GRASS) -> None:
        top, bottom = SKIES[self.variant]
        bands = 12
        for i in range(bands):
            mix = i / (bands - 1)
            red, green, blue = (round(a + (b - a) * mix) for a, b in zip(top, bottom, strict=True))
            colour = f"#{red:02x}{green:02x}{blue:02x}"
            self.rect(0, horizon * i / bands, WIDTH, horizon / bands + 1, colour)
        self.rect(0, horizon, WIDTH, HEIGHT - horizon, ground)
        if self.variant != 3:
            self.disc(790, 90, 34, "#fbe7a8")
        for x, y in ((180, 90), (520, 60)):
            for dx, r in ((-34, 18), (0, 28), (34, 20)):
                self.disc(x + dx, y, r, "#f6f8f9")

    def room(self, wall: str = CREAM, floor: str = "#d8cdb8") -> None:
        self.rect(0, 0, WIDTH, 430, wall)
        self.rect(0, 430, WIDTH, 210, floor)
        self.rect(0, 424, WIDTH, 10, "#c8b998")

    def road(self, y: float, h: float) -> None:
        self.rect(0, y, WIDTH, h, ASPHALT)
        self.rect(0, y - 14, WIDTH, 14, CONCRETE)
        for x in range(10, WIDTH, 120):
            self.rect(x, y + h / 2 - 4, 64, 8, "#e9e3cf")

    def tree(self, x: float, y: float, h: float, leaf: str = LEAF) -> None:
        self.rect(x - h * 0.05, y - h * 0.4, h * 0.1, h * 0.4, TRUNK)
        for dx, dy, r in ((-0.2, 0.5, 0.2), (0.2, 0.52, 0.2), (0, 0.74, 0.26), (0, 0.5, 0.22)):
            self.disc(x + dx * h, y - dy * h, r * h, leaf)

    def person(self, x: float, y: float, h: float, coat: str, hat: str = "") -> None:
        self.disc(x, y - h * 0.86, h * 0.11, SKIN)
        if hat:
            self.oval(x, y - h * 0.94, h * 0.14, h * 0.06, hat)
        self.rect(x - h * 0.14, y - h * 0.74, h * 0.28, h * 0.42, coat, h * 0.06)
        self.rect(x - h * 0.12, y - h * 0.36, h * 0.1, h * 0.36, DARK)
        self.rect(x + h * 0.02, y - h * 0.36, h * 0.1, h * 0.36, DARK)

    def building(self, x: float, y: float, w: float, h: float, wall: str) -> None:
        self.rect(x, y - h, w, h, wall)
        self.rect(x - 6, y - h - 10, w + 12, 12, DARK)
        columns, rows = max(1, int(w // 60)), max(1, int(h // 70))
        for c in range(columns):
            for r in range(rows):
                self.rect(
                    x + (c + 0.25) * w / columns, y - h + 22 + r * 66, w / columns / 2, 38, GLASS
                )

    def wheel(self, x: float, y: float, r: float) -> None:
        self.disc(x, y, r, "#22282d")
        self.disc(x, y, r * 0.5, STEEL)

    def bus(self, x: float, y: float, w: float) -> None:
        h = w * 0.36
        self.rect(x, y - h - 14, w, h, self.accent, 16)
        self.rect(x + 10, y - h, w - 20, h * 0.46, GLASS, 8)
        for i in range(1, 5):
            self.rect(x + i * w / 5, y - h, 7, h * 0.46, self.accent)
        self.rect(x, y - h * 0.36, w, 9, WHITE)
        self.rect(x + w * 0.68, y - h * 0.95, w * 0.12, h * 0.84, "#9fb9c6", 4)
        self.wheel(x + w * 0.2, y - 8, w * 0.065)
        self.wheel(x + w * 0.86, y - 8, w * 0.065)

    def pipe(self, points: Points, colour: str = STEEL, width: float = 16) -> None:
        self.line(points, colour, width)
        for x, y in points:
            self.disc(x, y, width * 0.7, DARK)

    def table(self, x: float, y: float, w: float, h: float = 70, top: str = WOOD) -> None:
        self.rect(x, y, w, 16, top)
        for dx in (14, w - 26):
            self.rect(x + dx, y + 16, 12, h, DARK)

    def board(self, x: float, y: float, w: float, h: float, title: str, face: str = WHITE) -> None:
        self.rect(x - 8, y - 8, w + 16, h + 16, self.accent, 6)
        self.rect(x, y, w, h, face)
        self.text(x + w / 2, y + 28, title, 26, DARK if face == WHITE else WHITE)
        for i in range(int((h - 70) // 26)):
            width = w * (0.84 if i % 3 else 0.66)
            self.rect(x + w * 0.08, y + 62 + i * 26, width, 8, STEEL)


def bus_stop(c: Canvas) -> None:
    c.sky(400)
    c.building(40, 400, 170, 240, BRICK)
    c.building(240, 400, 130, 180, CREAM)
    c.road(470, 170)
    c.rect(0, 400, WIDTH, 58, CONCRETE)
    c.rect(560, 236, 320, 16, c.accent)
    for x in (574, 858):
        c.rect(x, 252, 10, 190, DARK)
    c.rect(590, 262, 260, 120, GLASS)
    c.rect(600, 396, 220, 12, WOOD)
    c.rect(900, 210, 8, 232, DARK)
    c.rect(876, 180, 58, 58, c.accent, 8)
    c.text(905, 209, "公交", 20)
    for i in range(2 + c.variant % 3):
        c.person(630 + i * 74, 448, 120, ("#a85555", "#55799f", "#6a8a4e", "#97795a")[i])
    c.bus(70, 590, 420)


def bus_depot(c: Canvas) -> None:
    c.sky(330, CONCRETE)
    c.rect(60, 150, 840, 26, c.accent)
    c.rect(60, 176, 840, 160, "#dfe5e9")
    c.text(480, 240, "充电场站", 40, DARK)
    for x in (70, 470, 880):
        c.rect(x, 170, 14, 250, DARK)
    for i in range(2):
        c.bus(70 + i * 430, 470, 370)
        c.rect(30 + i * 430, 400, 30, 76, WHITE, 6)
        c.rect(36 + i * 430, 410, 18, 22, "#46a06a")
    c.rect(0, 520, WIDTH, 120, ASPHALT)
    for x in range(40, WIDTH, 150):
        c.poly([(x, 520), (x + 12, 520), (x - 20, 640), (x - 34, 640)], "#e9e3cf")
    c.person(760, 600, 130, "#d9822b", "#f0c040")


def road_sweeper(c: Canvas) -> None:
    c.sky(350)
    for i, x in enumerate((40, 220, 400, 640, 820)):
        c.tree(x, 400, 150 + i % 2 * 30)
    c.rect(0, 392, WIDTH, 46, CONCRETE)
    c.road(452, 188)
    c.rect(250, 330, 300, 170, "#e6edf0", 12)
    c.rect(250, 430, 300, 30, c.accent)
    c.text(400, 390, "环卫作业", 34, DARK)
    c.rect(550, 370, 120, 130, c.accent, 16)
    c.rect(600, 384, 62, 54, GLASS, 8)
    c.disc(610, 362, 10, "#f0a030")
    c.wheel(310, 510, 32)
    c.wheel(600, 510, 32)
    c.disc(440, 526, 30, "#b9a06a")
    c.disc(440, 526, 14, DARK)
    for _ in range(24):
        c.disc(c.random.uniform(60, 240), c.random.uniform(500, 530), 3, "#cfd8dc")
    c.person(820, 448, 120, "#e2762e", "#e2762e")
    c.line([(844, 380), (880, 446)], WOOD, 5)


def transfer_station(c: Canvas) -> None:
    c.sky(360, CONCRETE)
    c.rect(90, 160, 640, 260, "#d5dde0")
    c.poly([(70, 164), (750, 164), (700, 110), (120, 110)], c.accent)
    c.text(410, 138, "生活垃圾转运站", 32)
    for i in range(3):
        c.rect(130 + i * 200, 230, 160, 190, DARK)
        for k in range(5):
            c.rect(134 + i * 200, 236 + k * 22, 152, 12, STEEL)
    c.rect(520, 400, 260, 130, "#5b8a5f", 6)
    c.rect(780, 440, 90, 90, c.accent, 10)
    c.rect(800, 450, 56, 40, GLASS)
    for x in (560, 640, 830):
        c.wheel(x, 536, 28)
    c.rect(0, 560, WIDTH, 80, ASPHALT)
    c.person(430, 560, 120, "#e2762e", "#f0c040")


def public_toilet(c: Canvas) -> None:
    c.sky(400)
    c.rect(0, 440, WIDTH, 200, CONCRETE)
    c.rect(200, 220, 560, 230, CREAM)
    c.poly([(170, 224), (790, 224), (730, 150), (230, 150)], "#7d4a3a" if c.variant < 3 else DARK)
    c.rect(380, 170, 200, 44, c.accent, 8)
    c.text(480, 192, "公共厕所", 28)
    for x, word in ((260, "男"), (600, "女")):
        c.rect(x, 290, 100, 160, "#8fa7b3")
        c.disc(x + 50, 262, 20, c.accent)
        c.text(x + 50, 262, word, 22)
    c.rect(440, 320, 80, 60, GLASS)
    c.tree(90, 450, 190)
    c.tree(870, 450, 160)
    c.person(520, 540, 130, "#e2762e", "#e2762e")
    c.line([(546, 470), (590, 560)], WOOD, 5)


def aeration_tank(c: Canvas) -> None:
    c.sky(250)
    c.building(640, 260, 260, 150, "#dde3e6")
    c.poly([(0, 300), (960, 300), (960, 640), (0, 640)], CONCRETE)
    for i in range(2):
        left, right = 40 + i * 470, 450 + i * 470
        c.poly([(left + 30, 340), (right - 10, 340), (right + 10, 600), (left - 20, 600)], WATER)
        for _ in range(120):
            x, y = c.random.uniform(left + 20, right - 20), c.random.uniform(355, 590)
            c.disc(x, y, c.random.uniform(3, 9), "#a9cdd9" if c.variant != 3 else "#b9b8a0")
    c.pipe([(60, 300), (60, 220), (500, 220), (500, 320)])
    for x in range(0, WIDTH, 80):
        c.rect(x, 286, 5, 44, DARK)
    c.rect(0, 284, WIDTH, 6, DARK)
    c.person(500, 420, 120, c.accent, "#f0c040")


def clarifier(c: Canvas) -> None:
    c.sky(230)
    c.tree(80, 260, 150)
    c.tree(860, 260, 180)
    c.oval(480, 430, 420, 180, CONCRETE)
    c.oval(480, 422, 396, 162, STEEL)
    c.oval(480, 430, 380, 150, WATER)
    c.oval(480, 424, 300, 112, "#6da8c0")
    c.rect(470, 300, 20, 130, DARK)
    c.poly([(480, 410), (880, 470), (880, 484), (480, 428)], "#d8a23a")
    c.line([(480, 396), (880, 450)], DARK, 4)
    for i in range(5):
        c.line([(540 + i * 75, 404 + i * 10), (540 + i * 75, 434 + i * 11)], DARK, 4)
    c.disc(480, 418, 24, "#d8a23a")
    c.person(180, 600, 120, c.accent, "#f0c040")


def laboratory(c: Canvas) -> None:
    c.room("#e9eff2", "#ccd5da")
    c.rect(60, 70, 320, 190, WHITE)
    for i in range(2):
        c.rect(70, 150 + i * 90, 300, 8, STEEL)
        for k in range(7):
            colour = ("#8fb8d0", "#c5a24f", "#9cc18f", "#c98a7a")[(k + i) % 4]
            c.rect(84 + k * 40, 104 + i * 90, 24, 46, colour, 4)
    c.rect(40, 400, 880, 24, "#f4f6f7")
    c.rect(40, 424, 880, 170, "#a9bac4")
    for i in range(4):
        c.poly(
            [(130 + i * 90, 330), (150 + i * 90, 330), (172 + i * 90, 400), (108 + i * 90, 400)],
            GLASS,
        )
        c.poly(
            [(120 + i * 90, 366), (160 + i * 90, 366), (172 + i * 90, 400), (108 + i * 90, 400)],
            c.accent,
        )
    c.rect(520, 290, 170, 110, DARK, 8)
    c.rect(534, 304, 100, 66, "#9bd0a4")
    c.line([(540, 350), (570, 330), (600, 340), (628, 316)], DARK, 3)
    c.person(800, 560, 300, WHITE)


def sludge_room(c: Canvas) -> None:
    c.room("#dfe4e2", "#b8bcbc")
    c.rect(120, 260, 460, 130, STEEL, 20)
    for i in range(9):
        c.rect(150 + i * 46, 266, 8, 118, DARK)
    c.rect(90, 390, 40, 120, DARK)
    c.rect(560, 390, 40, 120, DARK)
    c.poly([(580, 300), (760, 400), (760, 424), (580, 330)], c.accent)
    c.rect(680, 470, 220, 100, "#6d7f4f", 8)
    c.poly([(700, 470), (790, 414), (880, 470)], "#5a4b3c")
    c.pipe([(40, 180), (350, 180), (350, 260)])
    c.pipe([(700, 120), (900, 120), (900, 300)], "#6f93a8")
    c.person(480, 590, 150, c.accent, "#f0c040")


def lawn_trees(c: Canvas) -> None:
    c.sky(330)
    for i, x in enumerate((60, 190, 320, 700, 850)):
        c.tree(x, 350 + i % 2 * 20, 170 + i % 3 * 30, LEAF if c.variant != 4 else "#b98a3e")
    c.poly([(380, 330), (560, 330), (860, 640), (120, 640)], "#d9cfb8")
    for _ in range(70):
        x, y = c.random.uniform(0, 960), c.random.uniform(380, 630)
        c.line([(x, y), (x + 3, y - 10)], "#6f9c55", 3)
    c.rect(640, 470, 200, 14, WOOD)
    c.rect(640, 438, 200, 12, WOOD)
    for x in (656, 816):
        c.rect(x, 440, 10, 76, DARK)
    c.person(260, 560, 140, "#4d7d52", "#d8b968")
    c.rect(300, 524, 90, 26, "#c8452f", 8)
    c.wheel(314, 556, 14)
    c.wheel(378, 556, 14)


def flower_bed(c: Canvas) -> None:
    c.sky(300, CONCRETE)
    c.building(80, 320, 200, 200, BRICK)
    c.building(660, 320, 240, 160, CREAM)
    c.tree(360, 330, 150)
    c.tree(580, 330, 140)
    c.oval(480, 480, 380, 120, STEEL)
    c.oval(480, 474, 364, 108, "#6f5a45")
    tones = (
        ("#d2526b", "#f0c24b"),
        ("#8e5bb0", "#f3f0e8"),
        ("#e07a3a", "#d2526b"),
        ("#d94f4f", "#f4d35e"),
    )
    outer, inner = tones[c.variant - 1]
    for _ in range(420):
        x, y = c.random.uniform(-1, 1), c.random.uniform(-1, 1)
        if x * x + y * y < 1:
            colour = inner if x * x + y * y < 0.3 else outer
            c.disc(480 + x * 350, 470 + y * 100, 7, colour if c.random.random() < 0.8 else LEAF)
    c.person(840, 620, 140, "#4d7d52", "#d8b968")


def street_lamps(c: Canvas) -> None:
    night = c.variant in (2, 4)
    c.sky(380, "#4e5a52" if night else GRASS)
    if night:
        c.rect(0, 0, WIDTH, 380, "#27364a")
        c.disc(150, 90, 30, "#e9e4c8")
    for x in (60, 260, 700):
        c.building(x, 380, 150, 150 + x % 90, "#56657a" if night else CREAM)
    c.road(440, 200)
    for i, x in enumerate((170, 430, 690)):
        h = 250 + i * 10
        if night:
            c.poly([(x + 50, 440 - h), (x - 40, 470), (x + 180, 470)], "#5d6a70")
        c.rect(x, 440 - h, 9, h, STEEL)
        c.line([(x + 4, 440 - h), (x + 70, 424 - h)], STEEL, 7)
        c.rect(x + 50, 420 - h, 44, 12, "#ffe9a0" if night else WHITE, 5)
    c.rect(600, 470, 180, 76, "#d8a23a", 8)
    c.rect(720, 480, 50, 32, GLASS)
    c.line([(620, 470), (560, 330)], DARK, 8)
    c.rect(530, 300, 56, 34, "#d8a23a")
    c.person(558, 304, 80, "#e2762e", "#f0c040")
    c.wheel(636, 550, 20)
    c.wheel(744, 550, 20)


def road_repair(c: Canvas) -> None:
    c.sky(300)
    for x in (90, 260, 860):
        c.tree(x, 350, 150)
    c.road(380, 260)
    c.poly([(360, 450), (700, 440), (760, 560), (320, 570)], "#2c3236")
    c.rect(560, 360, 200, 100, "#e0a92e", 10)
    c.rect(600, 300, 110, 64, GLASS, 6)
    c.disc(600, 470, 40, DARK)
    c.disc(730, 470, 40, DARK)
    for x in (250, 330, 800):
        c.poly([(x, 520), (x + 26, 520), (x + 13, 460)], "#e2562e")
        c.rect(x + 6, 490, 14, 7, WHITE)
    c.rect(90, 420, 150, 64, c.accent, 6)
    c.text(165, 452, "养护施工", 28)
    c.person(420, 560, 130, "#e2762e", "#f0c040")


def canteen(c: Canvas) -> None:
    c.room()
    c.rect(80, 80, 800, 60, c.accent, 6)
    c.text(480, 110, "学生食堂", 36)
    c.rect(80, 190, 800, 130, STEEL)
    for i in range(5):
        c.rect(110 + i * 156, 210, 120, 60, "#e9edef", 10)
        c.oval(
            170 + i * 156, 234, 44, 14, ("#c9863f", "#7fa650", "#d6b65a", "#b55a45", "#e8e0c8")[i]
        )
    c.person(300, 320, 150, WHITE, WHITE)
    c.person(620, 320, 150, WHITE, WHITE)
    c.rect(80, 300, 800, 60, "#dfe5e9")
    for i in range(3):
        c.table(90 + i * 290, 500, 220, 80)
        for k in range(2):
            c.oval(150 + i * 290 + k * 100, 496, 30, 9, WHITE)
    c.person(250 + c.variant * 90, 620, 120, "#3f6fa8")


def kitchen(c: Canvas) -> None:
    c.room("#eef1f2", "#c4cacd")
    for y in range(60, 420, 60):
        c.rect(0, y, WIDTH, 2, "#d5dbde")
    c.poly([(120, 80), (560, 80), (500, 170), (180, 170)], STEEL)
    c.rect(110, 350, 480, 30, STEEL)
    c.rect(110, 380, 480, 190, "#98a5ae")
    for x in (220, 460):
        c.oval(x, 348, 84, 26, DARK)
        c.oval(x, 342, 70, 18, "#d6c08a")
        for k in range(3):
            c.line([(x - 30 + k * 30, 300), (x - 20 + k * 30, 260)], "#d9dee0", 6)
    c.rect(680, 140, 210, 430, "#dfe5e8", 10)
    c.rect(690, 150, 190, 200, GLASS, 6)
    c.text(785, 460, "留样柜", 30, DARK)
    c.person(380, 600, 240, WHITE, WHITE)


def school_gate(c: Canvas) -> None:
    c.sky(380)
    c.building(220, 390, 520, 220, CREAM)
    c.rect(0, 420, WIDTH, 220, CONCRETE)
    c.rect(140, 250, 60, 200, BRICK)
    c.rect(760, 250, 60, 200, BRICK)
    c.rect(130, 226, 700, 40, c.accent)
    c.text(480, 246, "示例县中心小学", 28)
    for x in range(210, 760, 26):
        c.rect(x, 360, 5, 90, STEEL)
    c.rect(210, 360, 550, 6, STEEL)
    c.rect(860, 120, 6, 330, DARK)
    c.rect(866, 124, 70, 44, "#cf3b32")
    for i in range(2 + c.variant % 3):
        c.person(320 + i * 110, 570, 100, ("#3f6fa8", "#c0504d", "#5f8a4a", "#c79a3a")[i])


def classroom(c: Canvas) -> None:
    c.room("#e8eef0", "#cdb796")
    c.rect(180, 70, 600, 220, WOOD)
    c.rect(192, 82, 576, 196, "#2f5a48")
    c.text(480, 150, "认真听讲", 46, "#e6efe9")
    c.line([(260, 210), (700, 210)], "#9fc0b0", 3)
    c.rect(830, 90, 100, 180, GLASS)
    c.person(150, 430, 240, c.accent)
    for row in range(2):
        for i in range(4):
            x, y = 210 + i * 180 - row * 40, 440 + row * 100
            c.person(
                x + 50, y + 60, 110, ("#3f6fa8", "#c0504d", "#5f8a4a", "#c79a3a")[(i + row) % 4]
            )
            c.table(x - 20, y + 20, 140, 60)


def meeting(c: Canvas) -> None:
    c.room("#eee8dc", "#b9a184")
    c.rect(200, 60, 560, 70, c.accent, 4)
    c.text(480, 95, "绩效评价座谈会", 38)
    c.rect(330, 160, 300, 150, WHITE)
    for i, h in enumerate((60, 100, 80, 116)):
        c.rect(370 + i * 62, 296 - h, 34, h, STEEL if i % 2 else c.accent)
    coats = ("#4b5f78", "#7a4f4f", "#55785a", "#6f6a86", "#8a6d45")
    for i in range(5):
        c.person(170 + i * 155, 500, 210, coats[(i + c.variant) % 5])
    c.poly([(90, 430), (870, 430), (930, 600), (30, 600)], WOOD)
    for i in range(5):
        c.rect(140 + i * 155, 460, 60, 40, WHITE)
        c.rect(214 + i * 155, 452, 16, 30, GLASS)


def archive(c: Canvas) -> None:
    c.room("#e6e4dd", "#b7a98f")
    for i in range(3):
        x = 60 + i * 220
        c.rect(x, 70, 200, 440, "#9aa3a9")
        for r in range(4):
            c.rect(x + 10, 84 + r * 106, 180, 92, "#6b757c")
            for k in range(8):
                tone = ("#3f6fa8", "#b98268", "#5f8a4a", "#c9b27a")[(k + r + i) % 4]
                c.rect(x + 16 + k * 21, 96 + r * 106, 17, 78, tone)
                c.rect(x + 20 + k * 21, 108 + r * 106, 9, 26, WHITE)
    c.table(700, 450, 230, 100)
    c.rect(730, 430, 90, 20, WHITE)
    c.rect(840, 420, 60, 30, c.accent)
    c.person(790, 450, 250, c.accent)
    c.table(700, 450, 230, 100)


def notice_board(c: Canvas) -> None:
    c.sky(420)
    c.building(20, 430, 200, 230, BRICK)
    c.tree(880, 430, 220)
    c.rect(0, 430, WIDTH, 210, CONCRETE)
    for x in (270, 780):
        c.rect(x, 130, 16, 380, DARK)
    c.poly([(230, 140), (830, 140), (790, 96), (270, 96)], c.accent)
    c.text(530, 119, "政务公开栏", 30)
    c.board(300, 170, 220, 250, "公示")
    c.board(550, 170, 220, 250, "名单")
    for i in range(2):
        c.person(400 + i * 210, 590, 170, ("#7a5c48", "#4b6584")[i])


def farmland(c: Canvas) -> None:
    c.sky(260, "#a9b566")
    c.poly([(0, 262), (220, 190), (460, 262)], "#8fa58a")
    c.poly([(380, 262), (680, 170), (960, 262)], "#9db09a")
    for i in range(14):
        x = -300 + i * 120
        c.poly(
            [(480 + (x - 480) * 0.2, 262), (480 + (x - 430) * 0.2, 262), (x + 70, 640), (x, 640)],
            "#7f9a48",
        )
    c.poly([(600, 262), (630, 262), (960, 560), (960, 640), (880, 640)], "#d9cfb8")
    c.person(300, 560, 130, "#6f6a86", "#d8b968")
    c.rect(120, 430, 26, 60, CONCRETE)
    c.pipe([(133, 430), (133, 396), (190, 396)], c.accent, 10)


def canal(c: Canvas) -> None:
    c.sky(240, "#a3b86c")
    for x in (60, 170, 830, 920):
        c.tree(x, 290, 150)
    c.poly([(420, 240), (540, 240), (900, 640), (60, 640)], CONCRETE)
    c.poly([(440, 240), (520, 240), (760, 640), (200, 640)], WATER)
    for i in range(6):
        y = 300 + i * 56
        c.line([(470 - i * 26, y), (520 + i * 12, y)], "#a9cdd9", 3)
    c.rect(560, 290, 14, 120, DARK)
    c.rect(440, 290, 134, 14, DARK)
    c.rect(470, 304, 80, 60, c.accent)
    c.disc(507, 282, 18, "#c8452f")
    c.person(850, 520, 140, c.accent, "#f0c040")


def water_tower(c: Canvas) -> None:
    c.sky(420)
    c.building(520, 440, 330, 170, CREAM)
    c.text(685, 236, "集中供水站", 30, DARK)
    for x in (190, 330):
        c.rect(x, 240, 14, 220, STEEL)
    c.line([(197, 440), (337, 260)], STEEL, 6)
    c.line([(337, 440), (197, 260)], STEEL, 6)
    c.rect(150, 120, 230, 130, c.accent, 20)
    c.text(265, 185, "供水", 40)
    c.pipe([(265, 250), (265, 500), (520, 500)])
    c.rect(0, 520, WIDTH, 120, "#9fb57f")
    c.person(440, 600, 140, "#4b6584", "#f0c040")


def training_hall(c: Canvas) -> None:
    c.room("#ece7dd", "#a98f70")
    c.rect(240, 60, 480, 240, WHITE)
    c.rect(240, 60, 480, 54, c.accent)
    c.text(480, 87, "技能培训班", 34)
    for i in range(4):
        c.rect(280, 140 + i * 36, 300 - i * 40, 12, STEEL)
    c.person(800, 430, 230, c.accent)
    c.rect(760, 330, 90, 110, WOOD)
    for row in range(3):
        for i in range(6):
            x = 90 + i * 150 + row % 2 * 40
            c.disc(x, 420 + row * 66, 22, "#3a3230")
            c.rect(
                x - 34, 438 + row * 66, 68, 52, ("#4b6584", "#7a4f4f", "#55785a")[(i + row) % 3], 14
            )


def village_road(c: Canvas) -> None:
    c.sky(300, "#a7bd7a")
    c.poly([(0, 302), (260, 210), (520, 302)], "#90a68c")
    for x, wall in ((90, CREAM), (640, "#e6d8c0"), (790, CREAM)):
        c.rect(x, 300, 120, 90, wall)
        c.poly([(x - 12, 302), (x + 132, 302), (x + 60, 246)], "#9a4f3f")
        c.rect(x + 44, 336, 32, 54, WOOD)
    c.poly([(450, 302), (520, 302), (800, 640), (180, 640)], "#b9bcbd")
    for i in range(5):
        c.rect(483 - i, 330 + i * 64, 5 + i * 2, 34, WHITE)
    c.tree(340, 400, 150)
    c.tree(720, 480, 180)
    c.person(600, 560, 120, c.accent)


def office_window(c: Canvas) -> None:
    c.room("#e8edf0", "#cbc4b6")
    c.rect(0, 60, WIDTH, 70, c.accent)
    c.text(480, 95, "便民服务窗口", 36)
    for i in range(3):
        x = 60 + i * 300
        c.rect(x, 170, 250, 170, GLASS)
        c.person(x + 125, 400, 200, ("#4b6584", "#7a4f4f", "#55785a")[i])
        c.rect(x + 80, 146, 90, 34, WHITE, 4)
        c.text(x + 125, 163, f"{i + 1}号窗口", 20, DARK)
    c.rect(30, 350, 900, 26, WOOD)
    c.rect(30, 376, 900, 140, "#c9a477")
    for i in range(2):
        c.person(260 + i * 330 + c.variant * 20, 620, 220, ("#6f6a86", "#8a6d45")[i])


def workshop(c: Canvas) -> None:
    c.room("#dde2e4", "#a5abad")
    c.rect(60, 60, 840, 20, STEEL)
    for x in (160, 480, 800):
        c.rect(x, 80, 60, 12, "#ffe9a0")
    c.bus(180, 470, 560)
    c.rect(220, 478, 90, 60, "#d8a23a")
    c.rect(620, 478, 90, 60, "#d8a23a")
    c.rect(800, 320, 120, 200, "#c8452f", 6)
    for i in range(4):
        c.rect(810, 334 + i * 46, 100, 34, "#a83a28")
    c.person(440, 610, 160, "#4b6584", "#f0c040")
    c.person(110, 590, 150, c.accent)


def interview(c: Canvas) -> None:
    c.sky(400)
    for x in (70, 880):
        c.tree(x, 430, 200)
    c.building(300, 410, 360, 190, CREAM)
    c.rect(0, 430, WIDTH, 210, "#cfc8b8")
    for i in range(2):
        c.person(340 + i * 70, 600, 210, (c.accent, "#4b5f78")[i])
    for i in range(1 + c.variant % 3):
        c.person(560 + i * 90, 600, 200, ("#8a6d45", "#7a4f4f", "#55785a")[i])
    c.rect(400, 470, 60, 44, WHITE)
    for i in range(3):
        c.rect(407, 479 + i * 11, 42, 4, STEEL)


SCENES: dict[str, Callable[[Canvas], None]] = {
    scene.__name__: scene
    for scene in (
        bus_stop, bus_depot, road_sweeper, transfer_station, public_toilet, aeration_tank,
        clarifier, laboratory, sludge_room, lawn_trees, flower_bed, street_lamps, road_repair,
        canteen, kitchen, school_gate, classroom, meeting, archive, notice_board, farmland, canal,
        water_tower, training_hall, village_road, office_window, workshop, interview,
        reading_room, book_shelves, road_bridge, guard_rail,
    )
}  # fmt: skip


def draw(scene: str, variant: int, seed: str) -> bytes:
    """One scene as PNG bytes, 960 × 640, in few colours so that the file stays small."""
    canvas = Canvas(variant, seed)
    SCENES[scene](canvas)
    canvas.mirrored = False  # the mark stands in the same corner of every picture
    canvas.rect(836, 588, 112, 40, WHITE, 6)
    canvas.text(892, 608, "示意图", 26, DARK)
    small = canvas.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.quantize(_COLOURS, dither=Image.Dither.NONE).save(
        stream, "PNG", optimize=True, dpi=(150, 150)
    )
    return stream.getvalue()

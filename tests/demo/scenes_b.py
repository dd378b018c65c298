"""Four more scenes, of library rooms and road structures; the surface they draw on: pictures.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pictures import Canvas

_SPINES = ("#3f6fa8", "#b98268", "#5f8a4a", "#c9b27a", "#8a5a7a")
_DARK, _GLASS, _WOOD, _STEEL, _CONCRETE = "#33414d", "#bcd9e6", "#b58a5a", "#8c9aa5", "#c9cdd0"


def _books(c: Canvas, x: float, y: float, count: int, height: float) -> None:
    """A row of book spines of slightly different heights, standing on y."""
    for i in range(count):
        h = height * (0.78 + 0.22 * c.random.random())
        c.rect(x + i * 17, y - h, 14, h, _SPINES[c.random.randrange(len(_SPINES))])


def reading_room(c: Canvas) -> None:
    c.room("#f1eee6", "#cdbb9c")
    for x in (90, 330, 570):
        c.rect(x, 60, 190, 170, _STEEL)
        c.rect(x + 8, 68, 83, 154, _GLASS)
        c.rect(x + 99, 68, 83, 154, _GLASS)
    c.rect(800, 90, 140, 340, _WOOD)
    for row in range(4):
        c.rect(808, 98 + row * 84, 124, 74, "#8a6540")
        _books(c, 812, 172 + row * 84, 7, 66)
    for i in range(3):
        c.line([(190 + i * 250, 0), (190 + i * 250, 40)], _DARK, 4)
        c.rect(140 + i * 250, 40, 100, 14, c.accent, 6)
    for row, y in enumerate((430, 540)):
        for i in range(3):
            c.person(150 + i * 250 + row * 60, y + 60, 170, _SPINES[(i + row) % 5])
        c.table(50 + row * 30, y - 10, 700, 66)
        for i in range(3):
            x = 120 + i * 250 + row * 60
            c.poly([(x, y - 12), (x + 34, y - 24), (x + 68, y - 12), (x + 34, y - 4)], "#fafafa")


def book_shelves(c: Canvas) -> None:
    c.room("#ece9e2", "#c2b497")
    for i in range(4):
        x = 30 + i * 190
        c.rect(x, 60, 170, 450, _WOOD)
        c.rect(x + 20, 30, 130, 34, c.accent, 4)
        c.text(x + 85, 47, ("文学", "历史", "科技", "少儿")[i], 22)
        for row in range(5):
            c.rect(x + 8, 72 + row * 86, 154, 76, "#8a6540")
            _books(c, x + 12, 148 + row * 86, 8, 70)
    c.rect(800, 330, 130, 200, c.accent, 8)
    c.rect(818, 350, 94, 70, _GLASS, 4)
    c.rect(824, 440, 82, 12, _DARK)
    c.text(865, 500, "自助借还", 20)
    c.person(720, 600, 240, "#7a4f4f")


def road_bridge(c: Canvas) -> None:
    c.sky(330, "#93ae73")
    c.poly([(0, 340), (300, 250), (620, 340)], "#8aa07f")
    c.rect(0, 470, 960, 170, "#5f9bb5")
    for y in (500, 550, 600):
        c.line([(60, y), (380, y), (420, y + 6), (900, y + 6)], "#86b7cb", 4)
    for x in (0, 860):
        c.poly([(x, 350), (x + 100, 350), (x + 100, 520), (x, 560)], "#a58a62")
    for x in (300, 620):
        c.rect(x, 380, 40, 150, "#a9afb3")
        c.rect(x - 14, 520, 68, 24, "#8f969a")
    c.rect(0, 340, 960, 44, _CONCRETE)
    c.rect(0, 384, 960, 10, "#989fa3")
    for x in range(20, 960, 60):
        c.rect(x, 290, 10, 52, _STEEL)
    c.rect(0, 288, 960, 10, c.accent)
    c.rect(0, 314, 960, 8, c.accent)
    c.tree(130, 345, 130)
    c.tree(840, 345, 150)


def guard_rail(c: Canvas) -> None:
    c.sky(280, "#b7a878")
    c.poly([(0, 284), (240, 170), (470, 284)], "#97a184")
    c.poly([(420, 284), (700, 140), (960, 284)], "#879878")
    c.poly([(520, 282), (600, 282), (960, 460), (960, 640), (860, 640)], "#5f9bb5")
    c.poly([(380, 282), (440, 282), (560, 640), (20, 640)], "#5d6468")
    for i in range(4):
        c.poly([(409, 310 + i * 78), (413, 310 + i * 78), (400 - i * 26, 352 + i * 78),
                (388 - i * 26, 352 + i * 78)], "#e9e3cf")  # fmt: skip
    for i in range(6):
        x, y, size = 450 + i * i * 6, 300 + i * i * 10, 12 + i * 12
        if i != 3:  # where the rail is missing
            c.rect(x, y, 5 + i * 2, size + 10, _STEEL)
            near, far = x - 3 - i, x + 24 + i * 12
            rail = [
                (near, y + 2),
                (far, y + 12 + i * 9),
                (far, y + 18 + i * 13),
                (near, y + 8 + i * 4),
            ]
            c.poly(rail, "#dfe5e8")
    for x, y in ((504, 384), (528, 430)):
        c.rect(x, y, 10, 46, "#e2562e")
        c.rect(x, y + 14, 10, 10, "#fafafa")
    c.tree(120, 420, 190)
    c.person(240, 600, 150, "#e2762e", "#f0c040")

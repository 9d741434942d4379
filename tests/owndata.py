"""Small data of the kinds that a user may bring, the same each time."""

import csv
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

TEXTS = {
    "ham": ["dinner", "home", "tomorrow", "meeting", "thanks", "lunch", "call", "later"],
    "news": ["minister", "election", "market", "report", "police", "storm", "goal", "team"],
    "spam": ["free", "win", "prize", "cash", "urgent", "claim", "offer", "click"],
}
CAR_HEADER = [
    "name",
    "origin",
    "mpg",
    "cylinders",
    "displacement",
    "horsepower",
    "weight",
    "acceleration",
    "model_year",
]


def draw_shapes(folder: Path, each: int) -> None:
    """Write ``each`` pictures of circles, lines and squares, of many sizes, modes and formats."""
    chance = random.Random(1)
    for name, draw in (("circle", "ellipse"), ("line", "line"), ("square", "rectangle")):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            right, bottom = chance.randint(30, 90), chance.randint(30, 90)
            dark = number % 2 == 0
            picture = Image.new("RGB", (right + 9, bottom + 7), "black" if dark else "white")
            pen = {"fill": "white" if dark else "navy"} | ({"width": 6} if name == "line" else {})
            getattr(ImageDraw.Draw(picture), draw)((5, 5, right, bottom), **pen)
            mode = ("L", "RGB", "RGBA", "P", "1", "LA", "CMYK")[number % 7]
            ending = {"CMYK": "jpg", "RGB": ("gif", "bmp", "jpeg")[number % 3]}.get(mode, "png")
            picture.convert(mode).save(folder / name / f"{number}.{ending}")


def sentences(count: int, labels: list[str]) -> list[tuple[str, str]]:
    """Return texts of the classes in turn, each with its label."""
    chance = random.Random(1)
    rows = []
    for number in range(count):
        label = labels[number % len(labels)]
        words = [chance.choice([*TEXTS[label], "the", "of"]) for _ in range(12)]
        rows.append((" ".join(words), label))
    return rows


def write_csv(path: Path, header: list[str], rows: list[tuple[object, ...]]) -> Path:
    """Write a CSV file and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_jsonl(path: Path, rows: list[tuple[str, str]]) -> Path:
    """Write texts with labels as JSONL and return the file's path."""
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def cars(count: int) -> list[tuple[object, ...]]:
    """Return rows under ``CAR_HEADER``; each twentieth car's horsepower is not known."""
    chance = random.Random(1)
    rows: list[tuple[object, ...]] = []
    for number in range(count):
        cylinders, weight = chance.choice([4, 6, 8]), chance.randint(1800, 4800)
        rows.append(
            (
                f"car {number}",
                chance.choice(["usa", "korea"]),
                round(60_000 / weight + chance.gauss(0, 1), 1),
                cylinders,
                cylinders * 40 + chance.randint(0, 50),
                "?" if number % 20 == 0 else cylinders * 25 + chance.randint(0, 20),
                weight,
                round(chance.uniform(9, 20), 1),
                chance.randint(90, 99),
            )
        )
    return rows

"""Open the pages that `senet` writes in a browser, and see that all of each is drawn.

Each is made of what has names that are markup and would run a script, and is opened on light, on dark and in a narrow
window. It has to have all that it shows, no script, nothing that is fetched, and colours that show on either
background.

- `parity`: two dumps whose values differ more and more: a point and a row for each, the tolerance and the first
  difference marked.
- `trace`: a graph, run on a pattern: a row for each layer and group, bars of parameters, MACs and time.
- `bench`: the same graph: a row for each kind, a column and a row for each step, a point on the roofline for each that
  multiplies.
- `classify`: photographs and what is none: a card for each, with its picture and a bar for each class.
- `eval`: the same in folders of classes: the confusion matrix, the calibration, a card for each mistake.
- `explain`: the same: each photograph and the heat map over it, a bar for each class, a strip for each SE block.
- `gates`: the same in folders of classes: a chart of how far classes are apart, and one for each SE block.

    python -m scripts.checks.pages --senet target/release/senet --keep pages
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.command_line import errors_in_one_line
from scripts.safetensors_file import write_safetensors

VALUES = 40
FIRST = 25
"""Of the values, the first that differs by more than the tolerance."""

HOSTILE = "</title></svg><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"

PHOTOS = Path("tests/images/photos")

SIZE = (1000, 900)
"""Of the browser's window."""

NARROW = (500, 900)
"""Of a telephone's, or near: Chromium's window is no narrower."""

SCHEMES = {"dark": 0, "light": 1}
"""What Chromium calls the colours that a reader prefers."""

COLOURS = {
    "light": {"paper": (255, 255, 255), "line": (0x25, 0x63, 0xA8), "difference": (0xB3, 0x26, 0x1E)},
    "dark": {"paper": (0x16, 0x16, 0x16), "line": (0x7D, 0xB4, 0xF0), "difference": (0xFF, 0x8A, 0x80)},
}

FEWEST_PIXELS = 100
"""Of a colour, where it is drawn: a line is as wide as its plot, a bar has some 500, and a point some 40."""

SECONDS = 120
"""That a browser may take: the first start on a busy machine takes some ten."""


class Elements(HTMLParser):
    """Counts the elements of a page, and gathers what it would fetch."""

    VOID = frozenset({"meta", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.title = ""
        self.fetched: list[str] = []
        self._path: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = f"{tag}.{dict(attrs).get('class')}" if dict(attrs).get("class") else tag
        self.counts[kind] = self.counts.get(kind, 0) + 1
        for name, value in attrs:
            is_address = name in ("src", "srcset", "href", "xlink:href", "action", "data")
            if is_address and not (value or "").startswith("data:image/"):
                self.fetched.append(f"{tag} {name}={value}")
        if tag not in self.VOID:
            self._path.append(tag)

    def handle_endtag(self, _tag: str) -> None:
        self._path.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self._path[-2:] == ["head", "title"]:
            self.title += data


@dataclass(frozen=True)
class Page:
    """A page, and what has to be on it."""

    file: Path
    title: str
    """Part of its title."""
    elements: dict[str, int]
    """How many there are of each kind, a tag with its class."""
    colours: tuple[str, ...]
    """Of those that it is drawn in."""


def write(senet: Path, file: Path, status: int, *words: str | Path) -> None:
    """Have the program write a page.

    Raises:
        ValueError: it ends in another way.
    """
    command: list[str | Path] = [senet.resolve(), *words, "--format", "html"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != status:
        problem = f"`senet {words[0]}` ended with {done.returncode}, expected {status}: {done.stderr.decode()}"
        raise ValueError(problem)
    file.write_bytes(done.stdout)


def parity_page(senet: Path, folder: Path) -> Page:
    """Two dumps that differ from `FIRST` on."""
    names = [f"layer{index}.{HOSTILE}" for index in range(VALUES)]
    errors = 10.0 ** np.linspace(-8, 0, VALUES)
    errors *= 1e-5 / errors[FIRST - 1 : FIRST + 1].prod() ** 0.5
    theirs = {name: np.linspace(-1, 1, 24).reshape(1, 2, 3, 4) for name in names}
    ours = {name: value * (1 + error) for (name, value), error in zip(theirs.items(), errors, strict=True)}
    files = [folder / "ours.safetensors", folder / "reference.safetensors"]
    for file, values in zip(files, (ours, theirs), strict=True):
        write_safetensors(file, values, {"layout": "nchw", "framework": HOSTILE})
    page = folder / "parity.html"
    write(senet, page, 1, "parity", "--ours", files[0], "--reference", files[1])
    elements = {
        "svg.chart": 1,
        "circle.ok": FIRST,
        "rect.bad": VALUES - FIRST,
        "polyline.line": 1,
        "polyline.tolerance": 1,
        "polyline.first": 1,
        "tr": 1 + FIRST,
        "tr.differs first": 1,
        "tr.differs": VALUES - FIRST - 1,
    }
    return Page(page, "ours.safetensors", elements, ("paper", "line", "difference"))


def hostile_graph(senet: Path, folder: Path) -> Path:
    """The graph of a small network whose layers are called by markup."""
    words: list[str | Path] = [senet.resolve(), "models", "se_bottleneck", "--format", "graph"]
    graph = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    # A name of parts would be a group of its own.
    name = HOSTILE.replace("/", "\N{FRACTION SLASH}").replace(".", "\N{ONE DOT LEADER}")

    def renamed(value: object) -> object:
        if isinstance(value, str):
            return value if value == graph["input"]["name"] else f"{value}{name}"
        return [renamed(each) for each in value] if isinstance(value, list) else value

    for layer in graph["layers"]:
        layer["name"] = renamed(layer["name"])
        layer["inputs"] = renamed(layer["inputs"])
    graph["outputs"] = renamed(graph["outputs"])
    file = folder / "graph.json"
    file.write_text(json.dumps(graph), encoding="utf-8")
    return file


def trace_page(senet: Path, folder: Path) -> Page:
    """The layers of a graph, run on a pattern."""
    graph = hostile_graph(senet, folder)
    page = folder / "trace.html"
    write(senet, page, 0, "trace", graph, "--values")
    layers = json.loads(graph.read_text(encoding="utf-8"))["layers"]
    groups = {layer["name"].split(".")[0] for layer in layers if "." in layer["name"]}
    elements = {
        "div.row": len(layers),
        "summary.row": len(groups),
        "div.row head": 1,
        "details": len(groups),
    }
    return Page(page, "se_bottleneck", elements, ("paper", "line"))


def bench_page(senet: Path, folder: Path) -> Page:
    """Where the time of a graph goes."""
    graph = hostile_graph(senet, folder)
    page = folder / "bench.html"
    words: tuple[str | Path, ...] = ("bench", graph, "--runs", "3", "--threads", "1")
    write(senet, page, 0, *words)
    done = subprocess.run([senet.resolve(), *words, "--format", "json"], capture_output=True, check=True)
    report = json.loads(done.stdout)
    kinds, steps = report["kinds"], report["steps"]
    elements = {
        "svg.chart": 2,
        "polyline.tolerance": 1,
        "svg.bar": len(kinds) + len(steps),
        "tr": 2 + len(kinds) + len(steps),
        "details": 1,
    }
    return Page(page, "se_bottleneck", elements, ("paper", "line"))


def hostile_images(images: Path) -> Path:
    """A folder of photographs, and what is none, in files that are called by markup."""
    name = HOSTILE.replace("/", "\N{FRACTION SLASH}")
    images.mkdir()
    for number, photo in enumerate(sorted(PHOTOS.glob("*.jpg"))):
        shutil.copy(photo, images / f"{number} {name}.jpg")
    (images / f"none {name}.jpg").write_bytes(b"no image")
    return images


def hostile_labels(folder: Path, classes: int) -> Path:
    """Classes that are called by markup."""
    labels = folder / "labels.txt"
    labels.write_text("".join(f"{number} {HOSTILE}\n" for number in range(classes)), encoding="utf-8")
    return labels


def classify_page(senet: Path, folder: Path) -> Page:
    """Photographs, and what is none."""
    page = folder / "classify.html"
    images = hostile_images(folder / "classified")
    write(senet, page, 1, "classify", images, "--labels", hostile_labels(folder, 1000))
    count = len(list(PHOTOS.glob("*.jpg")))
    elements = {
        "div.card": count + 1,
        "img": count,
        "p.bad-text": 1,
        "div.class": 5 * count,
        "svg.bar": 5 * count,
    }
    return Page(page, "these images", elements, ("paper", "line", "difference"))


def hostile_classes(data: Path) -> Path:
    """A folder of photographs, and what is none, each in a class of its own: the cat is one, which is right."""
    for number, image in enumerate(sorted(hostile_images(data.with_suffix(".unsorted")).iterdir())):
        of_class = data / str(3 + number)
        of_class.mkdir(parents=True)
        image.rename(of_class / image.name)
    return data


def eval_page(senet: Path, folder: Path) -> Page:
    """How often the network is right, of classes of one image each."""
    data = hostile_classes(folder / "evaluated")
    labels = hostile_labels(folder, 10)
    page = folder / "eval.html"
    words: tuple[str | Path, ...] = ("eval", data, "--weights", "builtin:seresnet20", "--labels", labels)
    write(senet, page, 1, *words)
    done = subprocess.run([senet.resolve(), *words, "--format", "json"], capture_output=True, check=False)
    report = json.loads(done.stdout)
    mistakes = len(report["mistakes"])
    shares = sum(score[share] is not None for score in report["classes"] for share in ("recall", "precision"))
    elements = {
        "svg.matrix": 1,
        "svg.chart": 1,
        "polyline.tolerance": 1,
        "circle.ok": sum(item["images"] > 0 for item in report["calibration"]["bins"]),
        "svg.bar": shares,
        "div.card": mistakes,
        "img": mistakes,
        "p.bad-text": mistakes,
        # Of what failed.
        "details": 1,
    }
    return Page(page, "seresnet20", elements, ("paper", "line", "difference"))


def explain_page(senet: Path, folder: Path) -> Page:
    """What a network saw in photographs, and in what is none."""
    page = folder / "explain.html"
    images, labels = hostile_images(folder / "explained"), hostile_labels(folder, 10)
    write(senet, page, 1, "explain", images, "--weights", "builtin:seresnet20", "--labels", labels)
    count = len(list(PHOTOS.glob("*.jpg")))
    blocks = 9
    elements = {
        "section": count + 1,
        "figure": 2 * count,
        "div.class": 5 * count,
        "div.strip": blocks * count,
        # Besides, what the colours of gates mean.
        "img": (2 + blocks) * count + 1,
        "p.bad-text": 1,
    }
    return Page(page, "seresnet20", elements, ("paper", "line"))


def gates_page(senet: Path, folder: Path) -> Page:
    """The mean gates of classes of one image each."""
    page = folder / "gates.html"
    data, labels = hostile_classes(folder / "gated"), hostile_labels(folder, 10)
    write(senet, page, 1, "explain", "--by-class", data, "--weights", "builtin:seresnet20", "--labels", labels)
    classes = len(list(PHOTOS.glob("*.jpg")))
    blocks = 9
    elements = {
        "section": blocks,
        "svg.chart": 1 + blocks,
        "polyline.line": 1,
        "polyline.all": blocks,
        "circle.ok": blocks,
        # What failed, and how many images each class has.
        "details": 2,
        "tr": 2 + 1 + classes,
    }
    elements |= {f"polyline.series s{place}": blocks for place in range(classes)}
    return Page(page, "seresnet20", elements, ("paper", "line"))


PAGES: dict[str, Callable[[Path, Path], Page]] = {
    "parity": parity_page,
    "trace": trace_page,
    "bench": bench_page,
    "classify": classify_page,
    "eval": eval_page,
    "explain": explain_page,
    "gates": gates_page,
}


def browse(chromium: str, folder: Path, page: Path, size: tuple[int, int], *flags: str) -> str:
    """Open a page as a browser without a window does, each time as a new user, and return what it prints.

    Raises:
        ValueError: the browser fails.
    """
    with tempfile.TemporaryDirectory(dir=folder) as user:
        # A container has no sandbox to start one in; the page is our own.
        words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions"]
        words += [f"--user-data-dir={user}", f"--window-size={size[0]},{size[1]}", *flags, page.resolve().as_uri()]
        try:
            done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ValueError(f"`{chromium}` took more than {SECONDS} seconds") from None
    if done.returncode != 0:
        raise ValueError(f"`{chromium}` ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout.decode()


def check_elements(dom: str, page: Page) -> None:
    """See what the browser made of the page.

    Raises:
        ValueError: something is not there, or something is that a name brought in.
    """
    elements = Elements()
    elements.feed(dom)
    for kind, count in ({"script": 0} | page.elements).items():
        if elements.counts.get(kind, 0) != count:
            raise ValueError(f"{elements.counts.get(kind, 0)} of `{kind}`, expected {count}")
    if elements.fetched:
        raise ValueError(f"something is fetched: {elements.fetched[0]}")
    if page.title not in elements.title:
        raise ValueError(f"the title became `{elements.title}`")


def check_picture(file: Path, scheme: str, colours: tuple[str, ...]) -> str:
    """See that the page's colours are on its picture, and say how much of each.

    Raises:
        ValueError: one is not.
    """
    pixels = np.asarray(Image.open(file).convert("RGB"))
    if pixels.shape != (SIZE[1], SIZE[0], 3):
        raise ValueError(f"a picture of {pixels.shape}, expected {SIZE[0]}x{SIZE[1]}")
    found = []
    for what in colours:
        count = int((pixels == np.array(COLOURS[scheme][what])).all(axis=2).sum())
        if count < FEWEST_PIXELS:
            raise ValueError(f"{scheme}: {count} pixels of `{what}`, expected {FEWEST_PIXELS}")
        found.append(f"{count:,} of `{what}`")
    return f"{scheme}: pixels {', '.join(found)}"


def check(name: str, senet: Path, chromium: str, folder: Path) -> None:
    """Write one of the pages, open it in every way, and see that all of it is there.

    Raises:
        ValueError: something is not, or something is that should not be.
    """
    page = PAGES[name](senet, folder)

    def picture(scheme: str, file: Path) -> tuple[str, str]:
        return f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--screenshot={file}"

    files = {scheme: folder / f"{name}-{scheme}.png" for scheme in SCHEMES}
    opened = {"dom": (SIZE, ("--dump-dom",)), "narrow": (NARROW, picture("light", folder / f"{name}-narrow.png"))}
    opened |= {scheme: (SIZE, picture(scheme, file)) for scheme, file in files.items()}
    # Each takes seconds to start.
    with ThreadPoolExecutor() as pool:
        waited = {
            what: pool.submit(browse, chromium, folder, page.file, size, *flags)
            for what, (size, flags) in opened.items()
        }
        printed = {what: done.result() for what, done in waited.items()}
    try:
        check_elements(printed["dom"], page)
        drawn = [check_picture(file, scheme, page.colours) for scheme, file in files.items()]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    print(f"{name}: {page.file.stat().st_size:,} bytes, all elements there; {'; '.join(drawn)}")


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--chromium", default="chromium", help="the browser (%(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep pages and pictures, to be looked at")
    parser.add_argument("pages", nargs="*", choices=[[], *PAGES], default=[], help="which of them (all)")
    arguments = parser.parse_args(words)
    with errors_in_one_line(), tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            for name in arguments.pages or PAGES:
                check(name, arguments.senet, arguments.chromium, folder)
        finally:
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                for file in [*folder.glob("*.html"), *folder.glob("*.png")]:
                    shutil.copy(file, arguments.keep)


if __name__ == "__main__":
    main()

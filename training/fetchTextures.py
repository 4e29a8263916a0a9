#!/usr/bin/env python3
"""Makes the bank of photographic textures for the split train-photo from Debian packages.

Downloads the packages with apt (nothing is installed), reads every file's licence in the package, leaves out whatever looks like
a test or sample photograph, and writes photographs.npz (data u8 [N, mips], linear means f32 [N, 3], pools, names) and the list
of sources renderer/TEXTURES.md. Only files whose licence is named there are taken.
"""

from __future__ import annotations

import argparse
import fnmatch
import io
import re
import struct
import subprocess
import zipfile
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
from PIL import Image, ImageOps

from renderer.textures import SIDE, pyramid

HERE = Path(__file__).parent
GAME, QUIZ, WALLPAPERS = "ufoai-textures", "gcompris-qt-data", "lomiri-wallpapers-16.04"
PACKAGES = (GAME, QUIZ, WALLPAPERS, "mate-backgrounds", "python3-skimage")
FREE = re.compile(r"^(CC0|CC-BY(-SA)?[- ]\d|public[- ]domain|GPL|LGPL|Expat|BSD)", re.I)
# Seamless materials: pool and a pattern of tex_<group>/<name>, the first that fits; the group `pics` holds pictures.
MATERIALS = (
    ("", r"nature/(grass003.|leaves|potatoes|tree00|tree_ch|water|sp_|tile|pjrock(6|16))|buildings/floor02[4]|ctp1/(wall_b|tree)|mattn/wall.*(door|win)"),
    ("bark", r"(ctp1|mattn)/bark|nature/tree_bark"),
    ("wood", r"(material|mattn|ctp1)/wood|buildings/(woodceil|wizwood|wall_wo|floor0(2[12]|3[0-6]|18)|floor_wood)|misc/(laminate|bungalow|box00[0-4])"),
    ("vegetation", r"(nature|ctp1|mattn|terrain)/(grass|hedge|jungle|flower|mountgrass|tropic)"),
    ("ground", r"nature/|dirt/|terrain/|(ctp1|mattn)/(asphalt|dirt|ground|pebbles|rocks?|sand|volcano|railway|dung|hay|straw|stone)|streets/"),
    ("tiles", r"(ctp1|buildings)/tiles?|buildings/(floor0(0[3-9]|1[0-6])|sfloor)|mattn/floor"),
    ("metal", r"(material|mattn|ctp1|buildings)/(metal|met_|mtl|rust)|ctp1/roof_t|misc/container|buildings/(roof00|wall_tech)"),
    ("cloth", r"buildings/(carpet|wallpaper)|ctp1/(curtain|wallpap)|furniture/(textil|couch|seat|cloth|bed)|mattn/(jute|carpet)|misc/straw"),
    ("smooth", r"buildings/(ceiling|cemdrk|cementwall|concrete|wall_(di|se)|pewter|pent)|ctp1/(ceiling|concrete|stucco|marble)|mattn/(concrete|marmor|plate)"),
    ("masonry", r"ctp1/(bricks|roof)|buildings(_snow)?/(wall|roof|paving|floor_st|streetb|sidewalk)|mattn/(brick|roof|wall)"),
    ("food", r"shop/fruit"),
    ("picture", r"pics/(art|land|asia|poster|fruit)|misc/books"),
)
PHOTOGRAPHS = {  # wallpapers and others that are photographs, and the pools that crops of them go to
    WALLPAPERS: {"Bridge_by": "", "Dragonfly": "vegetation", "Picture_1A": "", "aitzgorri": "", "free_by": "", "sunset_by": ""},
    "mate-backgrounds": {"nature/Dune": "vegetation", "nature/FreshFlower": "vegetation", "nature/Garden": "", "nature/GreenMeadow": "vegetation",
                         "nature/RainDrops": "vegetation", "nature/Wood": "smooth", "nature/YellowFlower": "", "nature/LadyBird": "",
                         "nature/TwoWings": "", "nature/Aqua": "", "nature/Storm": ""},
    "python3-skimage": {"data/brick.png": "masonry", "data/grass.png": "vegetation", "data/gravel.png": "ground"},
    QUIZ: {},
}
QUIZZES = ("explore_monuments", "explore_farm_animals", "explore_world_animals", "erase")
ORIGINS = {"brick": "<https://cc0textures.com/view.php?tex=Bricks25>", "grass": "linolafett, <https://www.deviantart.com/linolafett/art/Grass-01-434853879>",
           "gravel": "<https://cc0textures.com/view.php?tex=Gravel04>"}
SKIMAGE = "CC0 (docstring of skimage.data.brick, grass, gravel)"


@dataclass
class Source:
    """A picture with what must be recorded of it."""

    package: str
    path: str
    pool: str
    author: str
    licence: str
    image: Image.Image
    photograph: bool  # not a seamless texture


def unpacked(folder: Path, package: str) -> Path:
    """The unpacked package; downloaded by apt when it is not there yet."""
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    if not list((folder / "packages").glob(f"{package}_*.deb")):
        subprocess.run(["apt-get", "download", package], cwd=folder / "packages", check=True)
    target = folder / "unpacked" / package
    if not target.exists():
        subprocess.run(["dpkg", "-x", str(next((folder / "packages").glob(f"{package}_*.deb"))), str(target)], check=True)
    return target


def version(folder: Path, package: str) -> str:
    return next((folder / "packages").glob(f"{package}_*.deb")).name.split("_")[1].replace("%3a", ":")


def copyrights(root: Path, package: str) -> list[tuple[list[str], str, str]]:
    """Stanzas of debian/copyright: file patterns, authors, licence; the last that fits a file holds."""
    text = (root / "usr/share/doc" / package / "copyright").read_text(errors="replace")
    stanzas = []
    for part in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(Files|Copyright|License):[ \t]*((?:.*\n?(?:[ \t].*\n?)*))", part, re.M))
        if "Files" in fields and "License" in fields:
            authors = "; ".join(line.strip(" ,") for line in fields.get("Copyright", "").splitlines() if line.strip())
            stanzas.append((fields["Files"].split(), authors, fields["License"].split("\n")[0].strip()))
    return stanzas


def licence_of(stanzas: list[tuple[list[str], str, str]], name: str) -> tuple[str, str]:
    """Author and licence of a file by the last fitting stanza."""
    found = ("", "")
    for patterns, author, licence in stanzas:
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            found = (author, licence)
    return found


def materials(root: Path) -> Iterator[Source]:
    """Seamless materials of the game textures (normal and specular maps left out)."""
    stanzas = copyrights(root, GAME)
    archive = zipfile.ZipFile(next(root.rglob("0textures.pk3")))
    for name in sorted(archive.namelist()):
        short = name.removeprefix("textures/tex_")
        if not name.endswith((".jpg", ".png")) or re.search(r"_(nm|sm|gm|rm)\.", name):
            continue
        pool = next((pool for pool, pattern in MATERIALS if re.match(pattern, short)), "")
        if pool:
            author, licence = licence_of(stanzas, f"base/{name}")
            yield Source(GAME, name, pool, author, licence, Image.open(io.BytesIO(archive.read(name))), False)


def resources(path: Path) -> dict[str, bytes]:
    """Files of a Qt resource archive (uncompressed or zlib entries)."""
    raw = path.read_bytes()
    _, tree, data, names = struct.unpack(">IIII", raw[4:20])
    files: dict[str, bytes] = {}

    def visit(node: int, prefix: str) -> None:
        at = tree + node * 22
        label, flags = struct.unpack(">IH", raw[at:at + 6])
        start = names + label
        own = raw[start + 6:start + 6 + 2 * struct.unpack(">H", raw[start:start + 2])[0]].decode("utf-16-be") if node else ""
        here = f"{prefix}/{own}" if prefix else own
        if flags & 2:
            count, first = struct.unpack(">II", raw[at + 6:at + 14])
            for child in range(first, first + count):
                visit(child, here)
            return
        begin = data + struct.unpack(">I", raw[at + 10:at + 14])[0]
        content = raw[begin + 4:begin + 4 + struct.unpack(">I", raw[begin:begin + 4])[0]]
        if not flags & 4:  # 4: zstd
            files[here] = zlib.decompress(content[4:]) if flags & 1 else content

    visit(0, "")
    return files


def quizzes(root: Path) -> Iterator[Source]:
    """Photographs of the educational games, each with its entry in the README beside it."""
    for quiz in QUIZZES:
        files = resources(root / f"usr/share/gcompris-qt/rcc/{quiz}.rcc")
        listed = {}
        for text in (content.decode() for name, content in files.items() if name.endswith("README")):
            for part in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^(Copyright|License|Source):[ \t]*(.*)$", part, re.M))
                for name in re.findall(r"[\w./-]+\.webp", part.split("Files:")[-1]):
                    listed[name.split("/")[-1]] = (f"{fields.get('Copyright', '')}, <{fields.get('Source', '')}>", fields.get("License", ""))
        for name in sorted(name for name in files if name.endswith(".webp")):
            author, licence = listed.get(name.split("/")[-1], ("", ""))
            yield Source(QUIZ, f"{quiz}.rcc: {name.split('/')[-1]}", "", author, licence, Image.open(io.BytesIO(files[name])), True)


def photographs(root: Path, package: str) -> Iterator[Source]:
    """The chosen photographs of a package."""
    stanzas = [] if package == "python3-skimage" else copyrights(root, package)
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".jpg", ".png") and path.is_file()):
        for part, pool in PHOTOGRAPHS[package].items():
            if part in str(path):
                name = f"nature/{path.name}" if package.startswith("mate") else f"16.04/{path.name}"
                author, licence = licence_of(stanzas, name) if stanzas else (ORIGINS[path.stem], SKIMAGE)
                yield Source(package, str(path.relative_to(root)), pool, author, licence, Image.open(path), True)


def fingerprint(image: Image.Image) -> np.ndarray:
    """Grey 16 x 16 thumbnail of zero mean and unit length."""
    small = np.asarray(ImageOps.exif_transpose(image).convert("L").resize((16, 16), Image.BOX), float)
    small = small - small.mean()
    return (small / (np.linalg.norm(small) + 1e-9)).ravel()


def forbidden() -> np.ndarray:
    """Fingerprints of everything that figures are computed on or that is shown as a result."""
    folders = (HERE.parent / "test/photographs", HERE.parent / "media/samples", HERE.parent / "test/heldout")
    paths = [path for folder in folders for path in sorted(folder.glob("*")) if path.suffix in (".jpg", ".png") and not
             re.search(r"_(depth|normal)", path.name)]
    return np.stack([fingerprint(Image.open(path)) for path in paths])


def linear(image: Image.Image, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """Linear RGB [h, w, 3] of a picture resized."""
    return (np.asarray(image.convert("RGB").resize(size, Image.LANCZOS), np.float64) / 255) ** 2.2


def seamless(field: np.ndarray) -> np.ndarray:
    """A square [256 + m, 256 + m, 3] made tileable: its margins of m pixels are cross-faded, keeping the contrast about the mean."""
    margin, mean = field.shape[0] - SIDE, field.mean((0, 1))
    field = field - mean
    for axis in (0, 1):
        field = np.moveaxis(field, axis, 0)
        weight = (np.arange(margin) + 0.5)[:, None, None] / margin
        mixed = field[:margin] * weight + field[SIDE:] * (1 - weight)
        field = np.moveaxis(np.concatenate([mixed / np.sqrt(weight**2 + (1 - weight) ** 2), field[margin:SIDE]]), 0, axis)
    return np.clip(field + mean, 0, 1)


def seam(field: np.ndarray) -> float:
    """How much stronger the step over the border is than steps inside; about 1 for a seamless texture."""
    inside = np.abs(np.diff(field, axis=0)).mean() + np.abs(np.diff(field, axis=1)).mean() + 1e-4
    return (np.abs(field[0] - field[-1]).mean() + np.abs(field[:, 0] - field[:, -1]).mean()) / inside


def tile(image: Image.Image) -> np.ndarray | None:
    """A material as a seamless square; None where it is too small or carries holes."""
    if image.mode in ("RGBA", "LA", "P") and np.asarray(image.convert("RGBA"))[..., 3].min() < 250:
        return None
    width, height = image.size
    if min(width, height) < 128 or max(width, height) > 2.1 * min(width, height):
        return None
    field = linear(image, (2 * SIDE if width >= 1.9 * height else SIDE, 2 * SIDE if height >= 1.9 * width else SIDE))[:SIDE, :SIDE]
    return field if seam(field) < 2.5 else seamless(linear(image, (SIDE + 48, SIDE + 48)))


def crops(image: Image.Image, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """The most even windows of a photograph, seamless: little change of the mean from part to part, and some detail."""
    width, height = image.size
    found = []
    for _ in range(30):
        side = int(rng.uniform(0.3, 0.7) * min(width, height))
        x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
        field = linear(image.crop((x, y, x + side, y + side)), (SIDE + 64, SIDE + 64))
        coarse = field.reshape(4, 80, 4, 80, 3).mean((1, 3)).std((0, 1)).mean()
        detail = field.std((0, 1)).mean()
        found.append((coarse / (detail + 0.02), len(found), field))
    return [seamless(field) for _, _, field in sorted(found, key=lambda entry: entry[:2])[:count]]


def upward(field: np.ndarray) -> np.ndarray:
    """Rows from the bottom up: v grows upward on surfaces."""
    return field[::-1]


def entries(source: Source, rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """What the bank takes of a source: (pool, linear RGB [256, 256, 3])."""
    if not source.photograph and source.pool != "picture":
        field = tile(source.image)
        return [] if field is None or field.std() < 0.004 else [(source.pool, upward(field))]
    if min(source.image.size) < 128:
        return []
    image = ImageOps.exif_transpose(source.image).convert("RGB")
    image.thumbnail((1024, 1024))
    whole = [] if source.package == "python3-skimage" else [("picture", upward(linear(image)))]
    return whole + [(source.pool, upward(field)) for field in crops(image, rng, 2)] if source.pool not in ("", "picture") else whole


def describe(taken: list[Source], counts: Counter[str], versions: dict[str, str]) -> str:
    """The text of renderer/TEXTURES.md."""
    lines = ["# Photographic textures", "", "What `training/fetchTextures.py` puts into the bank of the split `train-photo`. The files are not part of the repository: the script",
             "fetches the Debian packages (Debian 12), reads the licences there, scales each picture to 256 x 256 (some cropped and made seamless), and leaves",
             "out whatever equals a photograph of `test/photographs`, `media/samples` or a held-out scene. Written by the script.", "",
             "Entries by pool: " + ", ".join(f"{pool} {count}" for pool, count in sorted(counts.items())) + ".", "",
             "## Photographs", "", "| File | Package | Author, source | Licence |", "|---|---|---|---|"]
    lines += [f"| `{s.path}` | {s.package} {versions[s.package]} | {s.author} | {s.licence} |" for s in taken if s.package != GAME]
    lines += ["", f"## Materials and pictures of {GAME} {versions[GAME]}", "", "`base/textures` of UFO: Alien Invasion, <https://sourceforge.net/projects/ufoai>;"
              " licences and authors as its `debian/copyright` groups them."]
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source in taken:
        if source.package == GAME:
            groups[source.licence, source.author].append(source.path.removeprefix("textures/tex_"))
    for (licence, author), names in sorted(groups.items()):
        lines += ["", f"### {licence}", "", f"Authors of the group: {author}.", "", "Files: " + ", ".join(f"`{name}`" for name in names) + "."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=HERE / ".cache" / "textures")
    given = parser.parse_args()
    roots = {package: unpacked(given.folder, package) for package in PACKAGES}
    sources = [*materials(roots[GAME]), *quizzes(roots[QUIZ]), *(s for p in PHOTOGRAPHS if p != QUIZ for s in photographs(roots[p], p))]
    banned, rng, seen = forbidden(), np.random.default_rng(31), set()
    taken, data, means, pools, names = [], [], [], [], []
    for source in sources:
        likeness = float((banned @ fingerprint(source.image)).max())
        if not FREE.match(source.licence) or (likeness > 0.93 and (source.photograph or source.pool == "picture")):
            print(f"left out: {source.path} ({source.licence or 'no licence found'}; likeness to a test picture {likeness:.2f})")
            continue
        for pool, field in entries(source, rng):
            row = pyramid(np.sqrt(field))
            if row.tobytes() not in seen:
                seen.add(row.tobytes())
                data.append(row), means.append(field.mean((0, 1))), pools.append(pool), names.append(source.path)
                taken += [] if taken and taken[-1] is source else [source]
    given.folder.mkdir(parents=True, exist_ok=True)
    np.savez(given.folder / "photographs.npz", data=np.stack(data), means=np.array(means, np.float32), pools=np.array(pools), names=np.array(names))
    versions = {package: version(given.folder, package) for package in PACKAGES}
    (HERE / "renderer" / "TEXTURES.md").write_text(describe(taken, Counter(pools), versions))
    print(f"{len(data)} textures of {len(taken)} files: {dict(Counter(pools))}")


if __name__ == "__main__":
    main()

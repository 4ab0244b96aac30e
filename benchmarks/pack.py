"""Time of packing compared with decoding alone, time of opening, and peak memory.

    python benchmarks/pack.py DATA [--rounds 5]

DATA is 'sample' or a folder in the official layout; nothing is written in it. Alternately, with as
many threads (pack: processes) as there are cores:
  decode     reads every file and decodes it into its row of one array, uint8 (N, 3, 64, 64), which
             is allocated beforehand: no tables, digests, statistics or output file
  in memory  the decoder's calls alone, on bytes read beforehand; the results are dropped
  pack       tin_lib.data.pack: lists, reads, decodes, digests, sums and writes (page cache)
Mark: pack takes at most 1.25 times as long as decode. Then the time of open_data on the
packed data (mark: under 1 s), and the peak memory of processes that pack all images and a tenth.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from _common import Work, by_turns, finish, table, timed

from tin_lib.data import layout, open_data, pack
from tin_lib.data.images import decode_jpeg

CHUNK = 64
MEMORY = """
import json, re, sys
from pathlib import Path
from tin_lib.data import pack
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
pack(sys.argv[1])
print(json.dumps([before / 1024, peak() / 1024]))
"""


def main() -> None:
    """Measure, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="'sample' or the data set's folder")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    root = layout.find_root(args.data)
    paths = image_paths(root)
    with tempfile.TemporaryDirectory(prefix="tin-pack-") as cache:
        os.environ["TIN_CACHE"] = cache
        rates = by_turns(contenders(root, paths, Path(cache)), args.rounds)
        reopen = min(seconds_to_open(root) for _ in range(args.rounds))
        memory = {name: peak_memory(folder) for name, folder in folders(root, Path(cache))}
    fastest = {name: len(paths) / max(rate.samples) for name, rate in rates.items()}
    middle = {name: len(paths) / rate.median for name, rate in rates.items()}
    print(table([row(name, middle, fastest) for name in middle]))
    print(f"\nopen again: {reopen:.2f} s (fastest of {args.rounds})")
    for name, (before, peak) in memory.items():
        print(f"peak memory, {name}: {peak:.0f} MiB, of which {before:.0f} MiB after imports")
    finish(
        "pack",
        {
            "pack_to_decode": middle["pack"] / middle["decode"],
            "pack_to_decode_fastest": fastest["pack"] / fastest["decode"],
            "pack_to_in_memory": middle["pack"] / middle["in memory"],
        },
        data=root.name,
        images=len(paths),
        rounds=args.rounds,
        open_seconds=round(reopen, 3),
        memory_mib={name: round(peak - before, 1) for name, (before, peak) in memory.items()},
    )


def image_paths(root: Path) -> list[str]:
    """Every image of the data set."""
    return [f"{root}/{path}" for part in tables(root).values() for path in part.paths]


def tables(root: Path) -> dict[str, layout.Table]:
    """The table of each split."""
    classes = layout.read_classes(root)
    labelled = {"train": layout.read_train(root, classes), "val": layout.read_val(root, classes)}
    return {**labelled, "test": layout.read_test(root)}


def contenders(root: Path, paths: list[str], cache: Path) -> dict[str, Work]:
    """The contenders by name."""
    memory = [read(path) for path in paths]
    pixels = np.zeros((len(paths), 3, 64, 64), dtype=np.uint8)
    return {
        "decode": timed(lambda: decode_files(paths, pixels)),
        "in memory": timed(lambda: in_threads(decode_bytes, memory)),
        "pack": lambda: pack_anew(root, len(paths), cache),
    }


def read(path: str) -> bytearray:
    """A file's bytes."""
    with open(path, "rb", buffering=0) as file:
        return bytearray(file.read())


def decode_files(paths: list[str], pixels: np.ndarray) -> int:
    """Read and decode into one array, uint8 (N, 3, 64, 64)."""

    def work(rows: list[tuple[int, str]]) -> None:
        for row, path in rows:
            pixels[row] = decode_jpeg(read(path)).numpy()

    return in_threads(work, list(enumerate(paths)))


def decode_bytes(files: list[bytearray]) -> None:
    """Decode and drop."""
    for data in files:
        decode_jpeg(data)


def in_threads(work: Callable, items: list) -> int:
    """Do ``work`` on chunks of the items in one thread a core."""
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(work, chunks):
            pass
    return len(items)


def pack_anew(root: Path, images: int, cache: Path) -> tuple[int, float]:
    """Pack into an empty cache; clearing it is not timed."""
    shutil.rmtree(cache / "tin_lib", ignore_errors=True)
    start = time.perf_counter()
    pack(root)
    return images, time.perf_counter() - start


def seconds_to_open(root: Path) -> float:
    """Seconds for open_data on what is packed."""
    start = time.perf_counter()
    open_data(root)
    return time.perf_counter() - start


def folders(root: Path, cache: Path) -> Iterable[tuple[str, Path]]:
    """The data set, and a copy with links to a tenth of its images, none of them packed yet."""
    shutil.rmtree(cache / "tin_lib")
    yield "all images", root
    tenth = cache / "tenth"
    link_tenth(root, tenth)
    yield "a tenth", tenth


def link_tenth(root: Path, folder: Path) -> None:
    """Link every tenth image of each folder, with the tables cut to match."""
    listed = tables(root)
    for path in [path for part in listed.values() for path in part.paths[::10]]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(root / path)
    for name in ("wnids.txt", "words.txt"):
        shutil.copy(root / name, folder / name)
    kept = {Path(path).name for path in listed["val"].paths[::10]}
    lines = (root / "val" / "val_annotations.txt").read_text().splitlines(keepends=True)
    chosen = [line for line in lines if line.split("\t")[0] in kept]
    (folder / "val" / "val_annotations.txt").write_text("".join(chosen))


def peak_memory(folder: Path) -> tuple[float, float]:
    """Resident MiB of a process after its imports, and at most while it packs ``folder``."""
    command = [sys.executable, "-c", MEMORY, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    before, peak = json.loads(done.stdout)
    return before, peak


def row(name: str, middle: dict[str, float], fastest: dict[str, float]) -> dict[str, object]:
    """One line of the table."""
    return {
        "step": name,
        "seconds (median)": f"{middle[name]:.2f}",
        "fastest": f"{fastest[name]:.2f}",
        "x decode (median)": f"{middle[name] / middle['decode']:.2f}",
        "x decode (fastest)": f"{fastest[name] / fastest['decode']:.2f}",
    }


if __name__ == "__main__":
    main()

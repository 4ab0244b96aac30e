"""What a run of the experiments found: ``python benchmarks/collect_experiments.py RUN OUT``.

Copies the tables and closing texts of notebooks 10 to 16 from the run's folder RUN into OUT, takes
a picture of every figure of its report in a headless Chromium (``--browser``, needs Playwright),
and writes OUT/README.md: what was found, with command, commit, device and versions. OUT gets no
image of the data set: these notebooks show none.
"""

import argparse
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from _common import processor, shortened

from tin_lib import files
from tin_lib.analysis import paper
from tin_lib.runner.report.pages import heading, read_notebook
from tin_lib.runner.workbook.spec import default_folder, load_workbook

TABLES = ("*.csv", "findings.md")
GROUP = "experiments"  # of workbook.yaml


def steps(run: Path) -> list[str]:
    """The experiments that the run has finished, in reading order."""
    folders = sorted(path.parent for path in run.glob("experiments/*/findings.md"))
    return [folder.name for folder in folders]


def copy_tables(run: Path, out: Path, step: str) -> None:
    """Copy an experiment's tables and closing text."""
    (out / step).mkdir(parents=True, exist_ok=True)
    for pattern in TABLES:
        for path in sorted((run / "experiments" / step).glob(pattern)):
            shutil.copy(path, out / step / path.name)


def take_pictures(run: Path, out: Path, names: list[str], browser: str) -> None:
    """Save each figure of the report's pages as OUT/NN_topic/figure_N.png."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1100, "height": 900}, color_scheme="light")
        for name in names:
            page.goto((run / "report" / f"{name}.html").resolve().as_uri())
            for number, figure in enumerate(page.locator(".tin-figure").all(), 1):
                figure.scroll_into_view_if_needed()
                figure.locator(".main-svg").first.wait_for()
                figure.screenshot(path=out / name / f"figure_{number}.png")
        chromium.close()


def facts(run: Path, names: list[str]) -> dict[str, str]:
    """Command, commit, machine, versions and seconds of the run."""
    asked = files.read_json(run / "run.json")
    records = {name: files.read_json(run / "steps" / f"{name}.json") for name in names}
    versions = {f"{k} {v}" for r in records.values() for k, v in r.get("versions", {}).items()}
    fit = next(iter(sorted(run.glob("experiments/fits/*/meta.json"))))
    command = shlex.join(map(shortened, shlex.split(asked["command"])))
    return {
        "command": f"`{command}`",
        "commit": str(asked["commit"]),
        "machine": "; ".join(sorted({r["machine"] for r in records.values()}))
        + f"; {processor()['processor']}, {'with' if processor()['amx'] else 'without'} AMX",
        "fits on": str(files.read_json(fit)["device"]),
        "versions": ", ".join(sorted(versions)),
        "seconds of each notebook, including its fits": ", ".join(
            f"{name[:2]}: {record['seconds']:,.0f}" for name, record in records.items()
        ),
        "fits": f"{len(list(run.glob('experiments/fits/*/summary.json'))):,} finished, "
        f"{len(list(run.glob('experiments/fits/*/diverged.json'))):,} diverged",
        "parameters": f"`{json.dumps(common(list(records.values())))}`",
    }


def common(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The parameters that all notebooks were given, without paths."""
    given = [
        {k: v for k, v in r["parameters"].items() if k not in ("data", "run")} for r in records
    ]
    return {k: v for k, v in given[0].items() if all(each.get(k) == v for each in given)}


def write_readme(run: Path, out: Path, names: list[str], note: str = "") -> None:
    """Write what was found, notebook by notebook."""
    lines = ["# What the experiments found", ""]
    lines += [f"- {name}: {value}" for name, value in facts(run, names).items()]
    lines += [f"- note: {note}"] if note else []
    if missing := [n for n in load_workbook(default_folder()).groups()[GROUP] if n not in names]:
        lines.append(f"- not run, or not finished: {', '.join(missing)}")
    for name in names:
        title, question = heading(read_notebook(run / "notebooks" / f"{name}.ipynb"), name)
        lines += ["", f"## {title}", "", question, ""]
        lines += [(run / "experiments" / name / "findings.md").read_text().strip(), ""]
        pictures = sorted((out / name).glob("figure_*.png"))
        tables = sorted(path.name for path in (out / name).glob("*.csv"))
        lines += [f"Tables: {', '.join(f'[{t}]({name}/{t})' for t in tables)}", ""]
        lines += [f"![Figure {n}]({name}/{p.name})" for n, p in enumerate(pictures, 1)]
    if (out / "features" / "probes.csv").is_file():
        lines += features_lines(out / "features")
    files.atomic_write(out / "README.md", "\n".join(lines) + "\n")


def features_lines(folder: Path) -> list[str]:
    """What benchmarks/transfer_features.py measured on all images."""
    machine = files.read_object(folder / "machine.json")
    table = pd.read_csv(folder / "probes.csv")
    lines = ["", "## Features of all 110,000 images, and a linear probe on them", ""]
    how = [
        f"timm {machine['timm']}, torch {machine['torch']}, {', '.join(table.precision.unique())}"
    ]
    how += [machine["note"]] if machine["note"] else []
    lines += [
        f"`{machine['command']}`, commit {str(machine['commit'])[:7]}, {machine['processor']} "
        f"({machine['cores']} cores), {'; '.join(how)}. The networks were pre-trained on "
        "ImageNet, from which Tiny ImageNet's images are taken. The paper's best network, also "
        f"pre-trained on ImageNet, reaches {paper.RESULTS['vgg16']['val']} on val.",
        "",
        "| network | input | val (95 % interval) | val of its own output layer, cut to 200 classes "
        "| time for the features | time for the probe |",
        "|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        interval = f"{row.val_accuracy:.3f} ({row.low:.3f} to {row.high:.3f})"
        rate = f"{row.features_minutes:.1f} min, {row.images_per_second:.0f} images/s"
        lines.append(
            f"| {row.network} | {row.size} px | {interval} | {row.head_accuracy:.3f} | {rate} | "
            f"{row.probe_minutes:.1f} min |"
        )
    return [
        *lines,
        "",
        "Learning curves: [features/learning_curves.csv](features/learning_curves.csv)",
    ]


def main() -> None:
    """Collect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--note", default="", help="a line to add, e.g. what disturbed the run")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="Chromium's program")
    args = parser.parse_args()
    names = steps(args.run)
    if not names:
        parser.error(f"{args.run} holds no finished experiment; run: make experiments")
    for name in names:
        copy_tables(args.run, args.out, name)
    take_pictures(args.run, args.out, names, args.browser)
    write_readme(args.run, args.out, names, args.note)
    print(args.out / "README.md")


if __name__ == "__main__":
    main()

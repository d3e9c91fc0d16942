"""Peak memory of `showdown predict` by the number of rows of its file.

    python -m benchmarks.cpu.predict_memory [--method tfidf] [--rows 1000 10000 100000]

TF-IDF with a linear SVM, or another method, is trained on the built-in resumes (ten labels). Then `showdown predict`
answers files with so many rows, each in a process of its own: resumes behind a number, as CSV and as JSON Lines.
Memory is the process's largest resident set in MB (1e6 bytes), imports and model included; seconds are those of the
whole command. Every answer file is checked to have as many rows, in the order of the file.
"""

import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.lib.result import argument_parser, write_result

ROWS = (1_000, 10_000, 100_000)
MB = 1e6
LABELS = "HR,Advocate,Arts,Sales,Java Developer,Data Science,Business Analyst,Mechanical Engineer,Civil Engineer,DevOps"


def texts() -> list[str]:
    """Return the texts of the built-in resumes."""
    from showdown.core.spec import DataSpec
    from showdown.data.read import read_rows

    return list(read_rows(DataSpec(source="resumes")).texts)


def train(method: str, output: Path) -> None:
    """Run a comparison of one method."""
    command = [sys.executable, "-P", "-m", "showdown", "run", "resumes", "--methods", method, "--output", str(output)]
    settings = ["--set", "protocol.split.kind=single", "--set", "seeds=[0]"]
    subprocess.run([*command, *settings], check=True, stdout=subprocess.DEVNULL)


def written(folder: Path, rows: int, form: str) -> Path:
    """Write a file of texts and return its path."""
    path = folder / f"rows-{rows}.{form}"
    numbered = enumerate(itertools.islice(itertools.cycle(texts()), rows))
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            writer = csv.writer(file)
            writer.writerow(["number", "text"])
            writer.writerows((number, f"{number} {text}") for number, text in numbered)
        else:
            file.writelines(
                json.dumps({"number": number, "text": f"{number} {text}"}) + "\n" for number, text in numbered
            )
    return path


def measured(output: Path, method: str, file: Path, rows: int) -> dict[str, float]:
    """Return peak memory and seconds of a prediction."""
    answers = file.with_name("answers.csv")
    command = [sys.executable, "-P", "-m", "showdown", "predict", str(output), "--method", method]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--file", str(file), "--column", "text", "--output", str(answers)], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        raise SystemExit(f"showdown predict ended with {status}")
    with answers.open(encoding="utf-8", newline="") as opened:
        found = csv.DictReader(opened)
        assert [int(line["number"]) for line in found if line["predicted"]] == list(range(rows))
    return {
        "peak_mb": round(used.ru_maxrss * 1024 / MB, 1),
        "seconds": round(seconds, 1),
        "file_mb": round(file.stat().st_size / MB, 1),
    }


def main() -> None:
    """Train, predict, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--method", default="tfidf")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train(options.method, folder / "out")
        for form in ("csv", "jsonl"):
            for rows in options.rows:
                found = measured(folder / "out", options.method, written(folder, rows, form), rows)
                results[f"{form}, {rows} rows"] = found
                print(f"{form}, {rows:,} rows: {found}")
    write_result(options, {"method": options.method, "by_rows": results})


if __name__ == "__main__":
    main()

"""Makes an archive of the packages that a GPU machine without a network lacks for the benchmarks.

    python -m benchmarks.lib.offline_packages .carry/packages.tar.xz
    python -m benchmarks.lib.offline_packages --what peers .carry/peers.tar.xz
    python -m benchmarks.lib.offline_packages --what ray .carry/ray.tar.xz

The second has TRL and Unsloth too, which Showdown is compared with; the third has Ray alone. The machine is x86-64 with
Python 3.12, and has torch, transformers, peft, accelerate, pandas and what they need. Parts of a wheel that no
benchmark uses are left out, such as libraries for other GPUs. On the machine:

    mkdir -p /tmp/lib && tar -xJf .carry/packages.tar.xz -C /tmp/lib
    PYTHONPATH=/tmp/lib/site:$PWD/src:$PWD python3 -m benchmarks.gpu.language_model
"""

import argparse
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.lib.result import ROOT

FOR_SHOWDOWN = (
    "alembic", "altair", "annotated-types", "bitsandbytes", "colorlog", "greenlet", "jsonschema",
    "jsonschema-specifications", "mako", "narwhals", "nvidia-ml-py", "optuna", "prettytable", "pydantic",
    "pydantic-core", "referencing", "rpds-py", "ruamel.yaml", "skops", "sqlalchemy", "typing-inspection", "wcwidth",
)  # fmt: skip
"""In the versions of `constraints.txt`."""
FOR_THE_GPU = ("liger-kernel==0.8.5", "nvidia-cudnn-frontend==1.32.0")
FOR_THE_PEERS = (
    "cut_cross_entropy==25.1.1", "datasets==4.8.5", "diffusers==0.42.1", "dill==0.4.1", "docstring-parser==0.18.0",
    "hf_transfer==0.1.9", "importlib_metadata==10.2.0", "msgspec==0.22.0", "multiprocess==0.70.19", "trl==1.15.0",
    "typeguard==4.6.1", "tyro==1.0.17", "unsloth==2026.10.9", "unsloth_zoo==2026.10.9",
    "xformers==0.0.35", "nvidia-cuda-runtime-cu12==12.8.90",
)  # fmt: skip
"""The last is for xformers, which Unsloth attends with: its wheel on PyPI wants CUDA 12's runtime beside any other."""
FOR_A_CLUSTER = ("ray",)
"""In the version of `constraints.txt`. What it needs is on the machine, or in the other archive (jsonschema)."""
ARCHIVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "showdown": (FOR_SHOWDOWN, FOR_THE_GPU),
    "peers": (FOR_SHOWDOWN, FOR_THE_GPU + FOR_THE_PEERS),
    "ray": (FOR_A_CLUSTER, ()),
}
"""By name: packages in the versions of `constraints.txt`, and others."""
LEFT_OUT = (
    "studio/*", "unsloth_cli/*", "bitsandbytes/libbitsandbytes_[!c]*",
    "bitsandbytes/libbitsandbytes_cuda1[!3]*", "bitsandbytes/libbitsandbytes_cuda132*", "include/*", "*/tests/*",
    "*.data/scripts/*", "nvidia/*__init__.py", "nvidia/*/include/*",
    "ray/jars/*", "ray/dashboard/client/*", "ray/rllib/*", "ray/llm/*", "ray/serve/*",
)  # fmt: skip
"""Unsloth's programs, bitsandbytes for ROCm, XPU and other CUDA versions than 13.0, headers; Ray's Java, pages and
libraries, which the product does not use."""
_MODE_BITS = 16
"""Below the mode of a file of Unix in a zip file's attributes (PKWARE's APPNOTE 4.4.15)."""
PLATFORMS = ("2_28", "2_34", "2_27", "2_24", "2_17")


def download(packages: tuple[str, ...], folder: Path, *, constrained: bool) -> None:
    """Download wheels for the machine, without what they depend on."""
    where = [f"--platform=manylinux_{version}_x86_64" for version in PLATFORMS]
    where += ["--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64"]
    limits = ["-c", str(ROOT / "constraints.txt")] if constrained else []
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version=3.12",
            "--implementation=cp", *where, *limits, "-d", str(folder), *packages,
        ],
        check=True,
    )  # fmt: skip


def unpack(wheel: Path, site: Path) -> None:
    """Unpack what is used of a wheel."""
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if not any(fnmatch(name, pattern) for pattern in LEFT_OUT)]
        packed.extractall(site, names)
        for name in names:
            mode = packed.getinfo(name).external_attr >> _MODE_BITS
            if mode & stat.S_IXUSR:  # programs of a package, such as Ray's
                (site / name).chmod(mode)
    for data in site.glob("*.data"):
        for part in (*data.glob("purelib/*"), *data.glob("platlib/*")):
            part.rename(site / part.name)


def make(target: Path, what: str) -> None:
    """Write the archive; `what` is a key of `ARCHIVES`."""
    with tempfile.TemporaryDirectory() as name:
        wheels, site = Path(name) / "wheels", Path(name) / "site"
        constrained, others = ARCHIVES[what]
        download(constrained, wheels, constrained=True)
        if others:
            download(others, wheels, constrained=False)
        for wheel in sorted(wheels.glob("*.whl")):
            unpack(wheel, site)
            print(wheel.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(site, "site")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    parser.add_argument("--what", choices=ARCHIVES, default="showdown", help="what the machine is to run")
    options = parser.parse_args()
    make(options.target, options.what)

"""Seconds of loading a 7B classifier straight into NF4, and its peak on the GPU and in anonymous host memory.

    python -m benchmarks.gpu.nf4_load --out benchmarks/results

It first writes a random checkpoint of 14.5 GB into `--folder`.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory, synchronize
from benchmarks.lib.workload import base_model
from showdown.models.by_tensor import load_by_tensor
from showdown.models.nf4 import nf4_layer


def anonymous_gb() -> float:
    """Return the anonymous memory of this process, in GB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e9


def write_checkpoint(folder: Path, *, tiny: bool, device: str) -> None:
    """Write random weights in shards of eight layers, as large checkpoints come."""
    folder.mkdir(parents=True, exist_ok=True)
    model = base_model(tiny=tiny, dtype=torch.bfloat16, device=device)
    places: dict[str, str] = {}
    by_shard: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in model.state_dict().items():
        layer = int(name.split(".")[2]) if ".layers." in name else 0
        shard = f"model-{layer // 8}.safetensors"
        by_shard.setdefault(shard, {})[name] = tensor
        places[name] = shard
    for shard, tensors in by_shard.items():
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def load(folder: Path, skeleton: Any, device: str) -> dict[str, float]:
    """Load the checkpoint into the network and return what it took."""
    cuda = device == "cuda"
    before_gpu = torch.cuda.memory_allocated() / 1e9 if cuda else 0.0
    before = anonymous_gb()
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous_gb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    load_by_tensor(skeleton, folder, nf4_layer, device=device, dtype=torch.bfloat16, keep=("score",))
    synchronize(device)
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return {
        "seconds": seconds,
        "gpu_size_gb": torch.cuda.memory_allocated() / 1e9 - before_gpu if cuda else 0.0,
        "gpu_peak_gb": torch.cuda.max_memory_allocated() / 1e9 - before_gpu if cuda else 0.0,
        "rss_anon_before_gb": before,
        "rss_anon_peak_gb": peak[0],
    }


def main() -> None:
    """Write the checkpoint, load it, print and write what it took."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/nf4_checkpoint"), help="of the checkpoint")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    write_checkpoint(options.folder, tiny=options.tiny, device=options.device)
    skeleton = base_model(tiny=options.tiny, dtype=torch.bfloat16, device="meta")
    import bitsandbytes  # noqa: F401 - the memory that its import takes is not the load's

    free_memory(options.device)
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    found = load(options.folder, skeleton, options.device)
    print(json.dumps(found))
    write_result(options, found, device=options.device)


if __name__ == "__main__":
    main()

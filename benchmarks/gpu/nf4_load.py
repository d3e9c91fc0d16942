"""Peak memory and seconds of loading a 7B classifier straight into NF4, on the GPU and in anonymous host memory.

Run `python benchmarks/gpu_load.py --out FILE`. It first writes a random 14.5 GB checkpoint under `--folder`.
"""

import argparse
import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from gpu_meter import environment
from gpu_workload import base_model
from safetensors.torch import save_file

from showdown.models.nf4 import load_nf4


def anonymous_gb() -> float:
    """Anonymous memory of this process, in GB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e9


def write_checkpoint(folder: Path, *, tiny: bool, device: str) -> None:
    """Write random weights in shards of eight layers, as a big checkpoint is."""
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


def main() -> None:
    """Write, load and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/nf4_checkpoint"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    cuda = options.device == "cuda"
    write_checkpoint(options.folder, tiny=options.tiny, device=options.device)
    skeleton = base_model(tiny=options.tiny, dtype=torch.bfloat16, device="meta")
    import bitsandbytes  # noqa: F401 - its own memory is not the load's

    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    before_gpu = torch.cuda.memory_allocated() / 1e9 if cuda else 0.0
    peak, done = [anonymous_gb()], threading.Event()
    before = peak[0]

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous_gb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    load_nf4(skeleton, options.folder, device=options.device, dtype=torch.bfloat16, keep=("score",))
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    found = {
        "seconds": seconds,
        "gpu_size_gb": torch.cuda.memory_allocated() / 1e9 - before_gpu if cuda else 0.0,
        "gpu_peak_gb": torch.cuda.max_memory_allocated() / 1e9 - before_gpu if cuda else 0.0,
        "rss_anon_before_gb": before,
        "rss_anon_peak_gb": peak[0],
        "environment": environment(options.device),
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()

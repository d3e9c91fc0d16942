"""Seconds of the singular value decompositions that GaLore takes of a gradient every 200 steps, on one GPU.

    python -m benchmarks.gpu.decompositions --out benchmarks/results

`torch.linalg.svd` of random float32 matrices of the widths that a 7B has, and of smaller ones; then the rate that the
forecast needs: picoseconds over m^2 n, for m rows and n columns, m at most n.
"""

import time

import torch

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import synchronize

SHAPES = ((1024, 1024), (1024, 4096), (2048, 2048), (2048, 8192), (4096, 4096), (4096, 11008), (4096, 14336))


def main() -> None:
    """Measure each shape once, after a small one to start the library, and write after each."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=40, help="begin no shape after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="use small matrices, to try the benchmark out")
    options = parser.parse_args()
    began, found = time.perf_counter(), []
    torch.linalg.svd(torch.randn(256, 256, device=options.device), full_matrices=False)
    for rows, columns in SHAPES:
        if time.perf_counter() - began > options.seconds:
            break
        shape = (rows // 16, columns // 16) if options.tiny else (rows, columns)
        matrix = torch.randn(*shape, device=options.device)
        synchronize(options.device)
        start = time.perf_counter()
        torch.linalg.svd(matrix, full_matrices=False)
        synchronize(options.device)
        seconds = time.perf_counter() - start
        line = {"rows": shape[0], "columns": shape[1], "seconds": seconds,
                "ps_over_m2n": seconds * 1e12 / (shape[0] ** 2 * shape[1])}  # fmt: skip
        print(line, flush=True)
        found.append(line)
        write_result(options, {"decompositions": found}, device=options.device)


if __name__ == "__main__":
    main()

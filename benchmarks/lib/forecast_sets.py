"""The calibration sets, on which coefficients are fitted, and the sets of the proof, which no coefficient has seen.

The first proofs have been seen, and are calibration since.
"""

from collections.abc import Callable

from benchmarks.lib.forecast_cells import Cell

QUERY_VALUE = {"targets": ["q_proj", "v_proj"]}


def _over(shape: str, method: str, lengths: list[tuple[int, int]], **more: object) -> list[Cell]:
    return [Cell(shape=shape, method=method, lengths=pair, **more) for pair in lengths]  # type: ignore[arg-type]


def gpu_calibration() -> list[Cell]:
    """Return the trainings on a GPU that coefficients are fitted on."""
    short, middle, long = (20, 20), (60, 200), (200, 500)
    return [
        *_over("1b", "lora", [short, (100, 100), middle, long]),
        *_over("1b", "full", [short, middle, long]),
        *_over("1b", "qlora", [short, middle, long]),
        *_over("bert-base", "full", [(16, 32), (32, 128), (300, 500)]),
        *_over("bert-base", "lora", [(32, 128), (300, 500)]),
        *_over("1b", "lora", [middle, long], memory="lean"),
        *_over("1b", "lora", [short, long], task="generation"),
        *_over("1b", "full", [long], task="generation"),
        *_over("160m", "full", [short, middle, long]),
        *_over("160m", "lora", [short, long]),
        *_over("160m", "full", [long], task="generation"),
        *_over("160m", "dora", [middle, long]),
        *_over("160m", "ia3", [middle, long]),
        *_over("roberta-large", "full", [(32, 128), (300, 500)]),
        *_over("roberta-large", "qlora", [(32, 128)]),
        *_over("bert-base", "dora", [(32, 128)]),
        *_over("bert-base", "bitfit", [(32, 128)]),
        *_over("bert-base", "full", [(300, 500)], memory="lean"),
        *_over("mistral-7b", "lora", [(100, 300)]),
        *_over("mistral-7b", "lora", [(100, 300)], memory="lean"),
        *_over("mistral-7b", "qlora", [(100, 300), (24, 24)]),
        *_over("mistral-7b", "lora", [(100, 300)], settings=QUERY_VALUE),
        *_over("mistral-7b", "lora", [(100, 300)], settings={"adapter_dropout": 0.1}),
        *_over("mistral-7b", "lora", [(100, 300)], task="generation"),
        *_over("3b", "full", [(100, 300)]),
        *_over("3b", "qlora", [(200, 400)], task="generation", memory="lean"),
        *_over("mistral-7b", "full", [(100, 300)], memory="speed", rows=8),
    ]


def gpu_first_proof() -> list[Cell]:
    """Return the trainings on a GPU that the first forecast was judged by."""
    return [
        *_over("smollm2-135m", "full", [(40, 40), (100, 400)], task="generation"),
        *_over("smollm2-135m", "lora", [(150, 450)]),
        *_over("smollm2-360m", "full", [(80, 350)]),
        *_over("smollm2-360m", "qlora", [(80, 350)], task="generation"),
        *_over("smollm2-360m", "dora", [(80, 350)]),
        *_over("qwen2.5-0.5b", "full", [(128, 512)], task="generation"),
        *_over("qwen2.5-0.5b", "lora", [(30, 30), (128, 512)]),
        *_over("qwen2.5-0.5b", "bitfit", [(128, 512)]),
        *_over("qwen2.5-0.5b", "full", [(128, 512)], memory="lean"),
        *_over("tinyllama-1.1b", "full", [(50, 250)]),
        *_over("tinyllama-1.1b", "lora", [(50, 250), (1000, 2000)], task="generation"),
        *_over("tinyllama-1.1b", "qlora", [(50, 250)], memory="lean"),
        *_over("tinyllama-1.1b", "dora", [(50, 250)]),
        *_over("tinyllama-1.1b", "ia3", [(50, 250)]),
        *_over("tinyllama-1.1b", "full", [(50, 250)], memory=12),
        *_over("qwen3-1.7b", "full", [(100, 300)], task="generation", rows=8),
        *_over("qwen3-1.7b", "lora", [(100, 300)]),
        *_over("qwen3-1.7b", "qlora", [(100, 300)], memory=6),
        *_over("qwen2.5-3b", "full", [(100, 300)], rows=8),
        *_over("qwen2.5-3b", "lora", [(300, 900)], task="generation"),
        *_over("qwen2.5-3b", "qlora", [(100, 300)], rows=32),
        *_over("minilm-l6", "full", [(20, 60), (128, 256)]),
        *_over("roberta-base", "full", [(20, 100), (256, 512)]),
        *_over("roberta-base", "lora", [(256, 512)]),
        *_over("roberta-base", "bitfit", [(20, 100)]),
        *_over("bert-large", "full", [(64, 256)]),
        *_over("bert-large", "qlora", [(64, 256)]),
        *_over("bert-large", "full", [(64, 256)], memory="lean"),
        *_over("xlm-r-large", "lora", [(64, 400)]),
        *_over("xlm-r-large", "full", [(64, 400)]),
        *_over("deberta-v3-base", "full", [(64, 256)]),
        *_over("deberta-v3-base", "lora", [(64, 256)]),
        *_over("modernbert-base", "full", [(64, 400)]),
        *_over("modernbert-base", "lora", [(64, 400)]),
        *_over("llama2-7b", "lora", [(50, 150), (200, 400)]),
        *_over("llama2-7b", "qlora", [(50, 150)], task="generation", memory="lean"),
        *_over("llama2-7b", "full", [(50, 150)], rows=8),
        *_over("llama3-8b", "lora", [(100, 350)], task="generation"),
        *_over("llama3-8b", "qlora", [(40, 40)]),
        *_over("llama3-8b", "lora", [(100, 350)], memory=24),
        *_over("llama3-8b", "full", [(50, 150)], rows=8),
        *_over("llama2-13b", "lora", [(60, 200)], rows=8),
        *_over("llama2-13b", "qlora", [(60, 200)], memory="lean"),
        *_over("llama2-13b", "full", [(60, 200)], rows=8),
        *_over("llama2-13b", "full", [(60, 200)], rows=8, memory="lean", protocol={"max_gradient_norm": None}),
        *_over("qwen3-1.7b", "full", [(6000, 8000)], rows=4),
    ]


def gpu_second_calibration() -> list[Cell]:
    """Return trainings of kinds that proofs missed: padded rows, packs replayed from graphs, recomputation, fp8."""
    return [
        *_over("bert-base", "full", [(32, 128), (16, 32), (300, 500)]),
        *_over("bert-base", "dora", [(32, 128)]),
        *_over("bert-base", "bitfit", [(32, 128)]),
        *_over("bert-base", "full", [(300, 500)], memory="lean"),
        *_over("roberta-large", "full", [(32, 128), (300, 500)]),
        *_over("roberta-large", "qlora", [(32, 128)]),
        *_over("minilm-l6", "full", [(20, 60), (128, 256)]),
        *_over("xlm-r-large", "lora", [(64, 400)]),
        *_over("deberta-v3-base", "full", [(64, 256)]),
        *_over("deberta-v3-base", "lora", [(64, 256)]),
        *_over("modernbert-base", "full", [(64, 400)]),
        *_over("modernbert-base", "lora", [(64, 400)]),
        *_over("gpt2", "full", [(64, 256)]),
        *_over("160m", "lora", [(20, 20)]),
        *_over("1b", "lora", [(200, 500)], memory="lean"),
        *_over("qwen2.5-0.5b", "full", [(128, 512)], memory="lean"),
        *_over("tinyllama-1.1b", "qlora", [(50, 250)], memory="lean"),
        *_over("tinyllama-1.1b", "full", [(50, 250)], memory=12),
        *_over("tinyllama-1.1b", "dora", [(50, 250)]),
        *_over("tinyllama-1.1b", "ia3", [(50, 250)]),
        *_over("qwen3-1.7b", "qlora", [(100, 300)], memory=6),
        *_over("qwen3-1.7b", "full", [(100, 300)], task="generation", rows=8),
        *_over("qwen2.5-3b", "full", [(100, 300)], rows=8),
        *_over("llama3-8b", "lora", [(100, 350)], memory=24),
        *_over("llama2-13b", "qlora", [(60, 200)], memory="lean"),
        *_over("mistral-7b", "lora", [(100, 300)]),
        *_over("tinyllama-1.1b", "full", [(50, 250)], memory="lean"),
        *_over("smollm2-360m", "full", [(80, 350)], memory="lean"),
        *_over("qwen3-1.7b", "full", [(100, 300)], memory=18),
        *_over("qwen2.5-0.5b", "qlora", [(128, 512)], memory="lean"),
        *_over("llama2-7b", "qlora", [(50, 150)], memory="lean"),
        *_over("qwen2.5-0.5b", "lora", [(30, 90)]),
        *_over("tinyllama-1.1b", "lora", [(30, 90)]),
        *_over("qwen3-1.7b", "lora", [(60, 180)], task="generation"),
        *_over("llama2-13b", "lora", [(60, 160)], rows=8),
        *_over("mistral-7b", "lora-fp8", [(100, 300)]),
        *_over("mistral-7b", "lora-fp8", [(100, 300)], memory="lean"),
        *_over("3b", "full-fp8", [(100, 300)]),
        *_over("bert-base", "lora", [(32, 128)]),
        *_over("roberta-base", "full", [(20, 100)]),
        *_over("bert-large", "qlora", [(64, 256)]),
        *_over("bert-large", "full", [(64, 256)], memory="lean"),
    ]


def gpu_plans() -> list[Cell]:
    """Return trainings of padded rows that are measured with cuDNN's plans too."""
    return [
        *_over("bert-base", "full", [(32, 128)]),
        *_over("minilm-l6", "full", [(128, 256)]),
        *_over("modernbert-base", "full", [(64, 400)]),
        *_over("roberta-large", "full", [(300, 500)]),
    ]


def gpu_second_proof() -> list[Cell]:
    """Return the trainings on a GPU that the second forecast was judged by."""
    return [
        *_over("qwen3-0.6b", "full", [(60, 180), (200, 600)]),
        *_over("qwen3-0.6b", "lora", [(60, 180)], task="generation"),
        *_over("qwen3-0.6b", "qlora", [(200, 600)], memory="lean"),
        *_over("qwen3-0.6b", "dora", [(60, 180)]),
        *_over("gemma3-1b", "lora", [(80, 240)], task="generation"),
        *_over("gemma3-1b", "full", [(80, 240)]),
        *_over("llama3.2-1b", "full", [(40, 160)], task="generation"),
        *_over("llama3.2-1b", "lora", [(50, 50), (700, 1400)]),
        *_over("llama3.2-1b", "ia3", [(80, 240)]),
        *_over("llama3.2-1b", "full", [(80, 240)], memory="lean"),
        *_over("qwen2.5-1.5b", "lora", [(120, 360)]),
        *_over("qwen2.5-1.5b", "qlora", [(120, 360)], task="generation"),
        *_over("qwen2.5-1.5b", "bitfit", [(120, 360)]),
        *_over("qwen2.5-1.5b", "full", [(120, 360)], memory=16),
        *_over("qwen2.5-1.5b", "dora", [(60, 180)]),
        *_over("smollm2-1.7b", "lora", [(30, 90)]),
        *_over("smollm2-1.7b", "full", [(100, 200)], task="generation", rows=8),
        *_over("smollm2-1.7b", "qlora", [(100, 400)], memory=5),
        *_over("qwen3-4b", "lora", [(80, 320)], rows=32),
        *_over("qwen3-4b", "qlora", [(80, 320)], memory="lean"),
        *_over("qwen3-4b", "full", [(80, 160)], rows=8),
        *_over("qwen2.5-7b", "lora", [(64, 192)], task="generation"),
        *_over("qwen2.5-7b", "qlora", [(64, 192)]),
        *_over("qwen2.5-7b", "lora", [(200, 500)], memory=28),
        *_over("qwen2.5-14b", "lora", [(64, 160)], rows=8),
        *_over("qwen2.5-14b", "qlora", [(64, 160)], task="generation", memory="lean"),
        *_over("qwen3-1.7b", "full", [(6000, 8000)], rows=4),
        *_over("qwen2.5-7b", "full", [(64, 192)]),
        *_over("qwen3-0.6b", "full", [(6000, 8000)], rows=12, protocol={"micro_batch_rows": 12}),
        *_over("qwen2.5-14b", "full", [(64, 160)], rows=4),
        *_over("pythia-160m", "full", [(50, 200)]),
        *_over("bert-medium", "full", [(24, 96), (150, 350)]),
        *_over("bert-medium", "qlora", [(150, 350)]),
        *_over("electra-base", "full", [(40, 160)]),
        *_over("electra-base", "lora", [(150, 350)]),
        *_over("xlm-r-base", "full", [(48, 200)]),
        *_over("xlm-r-base", "bitfit", [(48, 200)]),
        *_over("mpnet-base", "full", [(48, 200)]),
        *_over("bert-large", "lora", [(24, 96)]),
        *_over("bert-large", "full", [(150, 400)], memory="lean"),
        *_over("deberta-v3-small", "full", [(40, 200)]),
        *_over("deberta-v3-small", "qlora", [(40, 200)]),
        *_over("modernbert-large", "full", [(100, 300)]),
        *_over("modernbert-large", "lora", [(100, 300)]),
    ]


def gpu_proof() -> list[Cell]:
    """Return the trainings on a GPU that the forecast is judged by."""
    return [
        *_over("danube3-500m", "full", [(40, 150), (300, 900)]),
        *_over("danube3-500m", "lora", [(40, 150)], task="generation"),
        *_over("danube3-500m", "dora", [(100, 300)]),
        *_over("danube3-500m", "qlora", [(40, 150)]),
        *_over("gemma3-270m", "full", [(60, 220)]),
        *_over("gemma3-270m", "lora", [(60, 220)], task="generation"),
        *_over("llama3.2-3b", "lora", [(24, 72), (150, 450)]),
        *_over("llama3.2-3b", "full", [(60, 200)], task="generation", rows=8),
        *_over("llama3.2-3b", "qlora", [(60, 200)], memory="lean"),
        *_over("llama3.2-3b", "ia3", [(60, 200)]),
        *_over("danube3-4b", "lora", [(90, 280)]),
        *_over("danube3-4b", "full", [(90, 280)], rows=8),
        *_over("danube3-4b", "layernorm", [(90, 280)]),
        *_over("danube3-4b", "full", [(90, 280)], memory=40),
        *_over("gemma3-4b", "lora", [(70, 210)], task="generation"),
        *_over("gemma3-4b", "full", [(70, 210)], memory="lean"),
        *_over("yi-6b", "lora", [(60, 240)], rows=32),
        *_over("yi-6b", "lora", [(1500, 3000)], rows=8),
        *_over("yi-6b", "qlora", [(60, 240)]),
        *_over("yi-6b", "lora-fp8", [(60, 240)]),
        *_over("deepseek-7b", "full", [(80, 240)], rows=8),
        *_over("deepseek-7b", "lora", [(80, 240)], memory=26),
        *_over("deepseek-7b", "qlora", [(80, 240)], task="generation", memory="lean"),
        *_over("qwen3-8b", "lora", [(50, 200)]),
        *_over("qwen3-8b", "qlora", [(50, 200)], memory=12),
        *_over("qwen3-8b", "lora", [(250, 750)], task="generation", memory="lean"),
        *_over("nemo-12b", "lora", [(80, 200)], rows=8),
        *_over("nemo-12b", "qlora", [(80, 200)], rows=8),
        *_over("nemo-12b", "full", [(80, 200)], rows=4),
        *_over("gpt2-medium", "full", [(50, 200)]),
        *_over("pythia-410m", "lora", [(60, 240)]),
        *_over("bert-small", "full", [(30, 110), (200, 450)]),
        *_over("distilroberta", "full", [(40, 160)]),
        *_over("distilroberta", "lora", [(200, 500)]),
        *_over("multilingual-minilm-l12", "full", [(24, 96)]),
        *_over("multilingual-minilm-l12", "bitfit", [(100, 300)]),
        *_over("electra-small", "full", [(60, 250)]),
        *_over("electra-large", "full", [(60, 200)]),
        *_over("electra-large", "qlora", [(60, 200)]),
        *_over("electra-large", "full", [(150, 400)], memory="lean"),
        *_over("deberta-v3-large", "full", [(50, 180)]),
        *_over("deberta-v3-large", "lora", [(50, 180)]),
    ]


def cpu_calibration() -> list[Cell]:
    """Return the trainings on a CPU that coefficients are fitted on."""
    return [
        *_over("minilm-l12", "full", [(8, 24), (64, 200)]),
        *_over("minilm-l12", "lora", [(8, 24), (64, 200)]),
        *_over("minilm-l12", "qlora", [(64, 200)]),
        *_over("bert-base", "full", [(16, 48), (100, 300)]),
        *_over("bert-base", "lora", [(100, 300)]),
        *_over("160m", "full", [(16, 48), (100, 200)]),
        *_over("160m", "lora", [(16, 48), (100, 200)]),
        *_over("160m", "qlora", [(100, 200)]),
        *_over("160m", "full", [(100, 200)], task="generation"),
        *_over("160m", "dora", [(50, 100)]),
        *_over("bert-base", "dora", [(16, 48)]),
        *_over("bert-base", "full", [(100, 300)], memory="lean"),
    ]


def cpu_first_proof() -> list[Cell]:
    """Return the trainings on a CPU that the first forecast was judged by."""
    return [
        *_over("minilm-l6", "full", [(10, 30), (30, 120), (100, 250)]),
        *_over("minilm-l6", "lora", [(10, 30), (100, 250)]),
        *_over("minilm-l6", "qlora", [(30, 120)]),
        *_over("minilm-l6", "bitfit", [(30, 120)]),
        *_over("minilm-l6", "ia3", [(30, 120)]),
        *_over("minilm-l6", "dora", [(30, 120)]),
        *_over("roberta-base", "full", [(20, 60), (80, 200)]),
        *_over("roberta-base", "lora", [(20, 60)]),
        *_over("roberta-base", "qlora", [(80, 200)]),
        *_over("deberta-v3-base", "full", [(30, 80)]),
        *_over("modernbert-base", "lora", [(30, 80)]),
        *_over("smollm2-135m", "full", [(20, 60), (60, 160)], task="generation"),
        *_over("smollm2-135m", "lora", [(20, 60)]),
        *_over("smollm2-135m", "lora", [(60, 160)], task="generation"),
        *_over("smollm2-135m", "qlora", [(20, 60)]),
        *_over("smollm2-360m", "lora", [(20, 60)]),
        *_over("minilm-l6", "full", [(30, 120)], memory="lean"),
    ]


def cpu_proof() -> list[Cell]:
    """Return the trainings on a CPU that the forecast is judged by."""
    return [
        *_over("bert-medium", "full", [(12, 40), (60, 180)]),
        *_over("bert-medium", "lora", [(12, 40), (60, 180)]),
        *_over("bert-medium", "qlora", [(30, 90)]),
        *_over("bert-medium", "bitfit", [(60, 180)]),
        *_over("bert-medium", "ia3", [(30, 90)]),
        *_over("bert-medium", "dora", [(30, 90)]),
        *_over("bert-medium", "full", [(60, 180)], memory="lean"),
        *_over("electra-base", "full", [(24, 72)]),
        *_over("electra-base", "lora", [(60, 180)]),
        *_over("xlm-r-base", "lora", [(16, 48)]),
        *_over("mpnet-base", "full", [(24, 72)]),
        *_over("deberta-v3-small", "full", [(24, 96)]),
        *_over("deberta-v3-small", "lora", [(24, 96)]),
        *_over("minilm-l12", "full", [(24, 72)]),
        *_over("pythia-160m", "lora", [(20, 60)]),
        *_over("160m", "full", [(30, 90)], task="generation"),
        *_over("160m", "lora", [(30, 90)], task="generation"),
        *_over("smollm2-135m", "full", [(30, 90)]),
        *_over("smollm2-135m", "qlora", [(30, 90)], task="generation"),
        *_over("smollm2-360m", "qlora", [(16, 48)]),
    ]


SETS: dict[str, dict[str, Callable[[], list[Cell]]]] = {
    "gpu": {
        "calibration": gpu_calibration,
        "first-proof": gpu_first_proof,
        "second-calibration": gpu_second_calibration,
        "second-proof": gpu_second_proof,
        "plans": gpu_plans,
        "proof": gpu_proof,
    },
    "cpu": {"calibration": cpu_calibration, "first-proof": cpu_first_proof, "proof": cpu_proof},
}
"""By device and name."""

# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. QLoRA
#
# LoRA on a network whose weights are stored in four bits. It is made for large networks: 7 billion parameters take
# 14.5 GB in bfloat16 and about 4 GB in four bits.

# %%
# The one cell to change. On a GPU: "mistralai/Mistral-7B-v0.1"
MODEL = "all-minilm-l6-v2"

# %%
from showdown import Comparison

LABELS = ["Advocate", "Arts", "Civil Engineer", "Data Science", "HR", "Sales"]
SETTING = {
    "name": "notebooks",
    "model": {"id": MODEL},
    "data": {"labels": LABELS},
    "protocol": {
        "split": {"kind": "single", "train": 0.5, "validation": 0.15, "test": 0.35},
        "tuning": None,
        "effective_batch_rows": 4,
        "max_tokens": 64,
        "dropout": 0.0,
    },
    "seeds": [0],
}

# %%
comparison = Comparison("resumes", methods=["lora", "qlora"], **SETTING)
comparison.run()

# %% [markdown]
# ## Where the memory goes
#
# Of a small network the weights are a small part of the memory, and four bits save little. Run this notebook with a
# model of 7 billion parameters on a GPU, and the bar of the weights is what changes.

# %%
comparison.plot("memory-split")

# %% [markdown]
# Nothing is free: the weights are unpacked for every step, so that training takes longer, and rounding them to four
# bits costs a little accuracy in some cases. How much, this comparison cannot say: see the interval.

# %%
comparison.frame()[["name", "accuracy", "train_seconds", "peak_memory_device_training_gb", "convergence_epochs"]]

# %%
(pair,) = comparison.judge().pairs
print(f"{pair.first} less {pair.second}: {100 * pair.score.low:+.0f} to {100 * pair.score.high:+.0f} points")
print("independent test rows that would decide it, from best to worst case:", pair.clusters_to_decide)

# %% [markdown]
# `None` means that no number of rows would do: with one seed the spread between reruns is as large as the difference.
#
# Beware of reading seconds when something else was running: the verdict says so where it was.

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
# # 3. LoRA
#
# The network stays as it is. Beside its layers two thin matrices learn a correction of low rank: a few per cent of
# the parameters, and a saved model of a megabyte or two.

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
plan = Comparison("resumes", methods=["frozen", "full", "lora"], **SETTING).plan()
comparison = Comparison("resumes", methods=plan.fitting, **SETTING)
comparison.run()

# %% [markdown]
# ## What it costs less
#
# Fewer parameters that learn mean smaller gradients and a smaller state of the optimizer. The network itself and the
# activations of a step stay, so that memory falls by less than the number of parameters.

# %%
comparison.frame()[["name", "trainable_parameters", "total_parameters", "model_size_mb", "chosen_learning_rate"]]

# %%
comparison.plot("memory-split")

# %% [markdown]
# The learning rate is not the same: LoRA learns best at about ten times that of full fine-tuning, and each method
# trains at the default for its kind. The fairer way is a search for each method's rate with an equal budget
# (`"tuning": "auto"` in the protocol), which takes several times as long.

# %% [markdown]
# ## Is it as good?
#
# Look at the pairs in the verdict, not at the order of the table. Here two methods are a row or two apart, of 36.
# That is what another split or another seed would turn round. "At most one point worse" could only be shown with many
# more rows.

# %%
for pair in comparison.judge().pairs:
    low, high = 100 * pair.score.low, 100 * pair.score.high
    print(f"{pair.first} less {pair.second}: {low:+.0f} to {high:+.0f} points, difference shown: {pair.different}")

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
# # 2. Full fine-tuning
#
# Every weight of the network learns. It is the most expensive method, and the one that the others are measured
# against.

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

# %% [markdown]
# ## Will it fit?
#
# The plan says before anything runs how much memory and time each method needs here, with the range that should hold
# nine of ten measurements. Of a model with 7 billion parameters full fine-tuning needs about 60 GB: if it does not
# fit, the plan says so, and what would make it fit. Then this notebook ends at the cell below; the next ones leave
# full fine-tuning out.

# %%
comparison = Comparison("resumes", methods=["frozen", "full"], **SETTING)
comparison.plan()

# %%
comparison.run()

# %% [markdown]
# ## Did it finish learning?
#
# The number of epochs decides such a table, so nobody has to guess it. After each epoch the model answers the
# validation rows. When these have made no progress for three epochs, the learning rate falls to zero and training
# ends: it has **converged**. A run that meets its limit of epochs before that is marked with ‡ in the table, and its
# score is not to be read as the method's.

# %%
comparison.plot("training-loss")

# %%
comparison.plot("validation-score")

# %%
comparison.frame()[["name", "convergence_converged", "convergence_epochs", "convergence_best_epoch", "accuracy"]]

# %% [markdown]
# ## Two kinds of rows that were not trained on
#
# The **validation rows** choose: which epoch is kept, and when to stop. So the model is fitted to them a little, and
# their score is too good. The **test rows** are looked at once, after all choices, by the model that was saved and
# loaded again. Do not go back and change settings until the test score rises: it would become a validation score.

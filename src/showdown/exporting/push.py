"""Sending an exported model to the Hugging Face hub, with the login that huggingface_hub keeps."""

from pathlib import Path

from showdown.core.errors import UserError

_LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def checked_name(name: str) -> str:
    """Return the name of a repository of the hub: `user/name`.

    Raises:
        UserError: for any other text.

    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"--push {name}: no name of a repository; give user/name") from error
    if name.count("/") != 1:
        raise UserError(f"--push {name}: give user/name")
    return name


def push(folder: Path, name: str, *, public: bool) -> str:
    """Send a folder to a repository of models, which is made where it is missing, and return its address.

    Args:
        folder: what `export` wrote.
        name: as `checked_name` returns it.
        public: whether a new repository can be seen by everyone; an existing one stays as it is.

    Raises:
        UserError: without a login or a network, or where the hub refuses.

    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    kept = f"the model is in {folder}"
    api = HfApi()
    try:
        api.create_repo(name, repo_type="model", private=not public, exist_ok=True)
        api.upload_folder(
            repo_id=name, repo_type="model", folder_path=folder, commit_message="Add the model and its card"
        )
    except LocalTokenNotFoundError as error:
        raise UserError(f"--push {name}: no login; {_LOGIN}. {kept}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        why = _LOGIN if status in (401, 403) else "look at the name, and at the hub's status page"
        raise UserError(f"--push {name}: the hub refused it ({status}); {why}. {kept}") from error
    except (OfflineModeIsEnabled, OSError) as error:
        raise UserError(
            f"--push {name}: the hub cannot be reached; push it later with `hf upload {name} {folder}`"
        ) from error
    return f"https://huggingface.co/{name}"

"""An exported folder goes to the hub with the library's own login; what stands against it is one line."""

from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

from showdown.core.errors import UserError
from showdown.exporting.push import checked_name, push


class Hub:
    """Stands for `HfApi`: keeps what it was asked for."""

    calls: list[tuple[str, dict[str, Any]]]
    fault: Exception | None

    def create_repo(self, name: str, **options: Any) -> None:
        Hub.calls.append(("create", {"name": name, **options}))
        if Hub.fault:
            raise Hub.fault

    def upload_folder(self, **options: Any) -> None:
        Hub.calls.append(("upload", options))


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    Hub.calls, Hub.fault = [], None
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)


@pytest.mark.parametrize("public", [False, True])
def test_a_folder_is_sent_into_a_repository_that_is_private_unless_asked(tmp_path: Path, public: bool) -> None:
    assert push(tmp_path, "me/winner", public=public) == "https://huggingface.co/me/winner"
    (create, made), (upload, sent) = Hub.calls
    assert (create, made["name"], made["private"], made["exist_ok"]) == ("create", "me/winner", not public, True)
    assert (upload, sent["repo_id"], sent["folder_path"], sent["repo_type"]) == (
        "upload",
        "me/winner",
        tmp_path,
        "model",
    )


def refusal(status: int) -> HfHubHTTPError:
    request = httpx.Request("POST", "https://huggingface.co/api")
    return HfHubHTTPError("no", response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (LocalTokenNotFoundError("no"), "no login; log in with `hf auth login`"),
        (refusal(401), r"the hub refused it \(401\); log in with"),
        (refusal(409), r"the hub refused it \(409\); look at the name"),
        (OfflineModeIsEnabled("offline"), "the hub cannot be reached; push it later with `hf upload me/winner "),
        (OSError("no route"), "the hub cannot be reached"),
    ],
)
def test_what_stands_against_it_is_one_line(tmp_path: Path, fault: Exception, message: str) -> None:
    Hub.fault = fault
    with pytest.raises(UserError, match=message) as caught:
        push(tmp_path, "me/winner", public=False)
    assert str(tmp_path) in str(caught.value)
    assert [call for call, _ in Hub.calls] == ["create"]


@pytest.mark.parametrize("name", ["winner", "me/winner/again", "me/--", "https://huggingface.co/me/x", ""])
def test_a_name_that_the_hub_does_not_take_is_refused_before_the_work(name: str) -> None:
    with pytest.raises(UserError, match="give user/name"):
        checked_name(name)

"""The rates of devices: shipped, of this machine, or derived from published ones."""

from importlib.resources import files
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.files import read_file
from showdown.core.forecast import DeviceProfile
from showdown.models.converted import cache_folder

FILE = "device-profile.json"


def shipped_profiles() -> dict[str, DeviceProfile]:
    """Return the profiles that come with Showdown, by their short names."""
    folder = files("showdown.forecast") / "shipped"
    found = sorted((place for place in folder.iterdir() if place.name.endswith(".json")), key=lambda one: one.name)
    return {place.name.removesuffix(".json"): DeviceProfile.model_validate_json(place.read_bytes()) for place in found}


def profile_of(name: str) -> DeviceProfile:
    """Return the profile of a device by its short name, whatever its case, or by what its driver calls it.

    Raises:
        UserError: for a name that no profile has, naming those that there are.

    """
    shipped = shipped_profiles()
    asked = name.casefold()
    for short, profile in shipped.items():
        if asked in (short.casefold(), profile.name.casefold()):
            return profile
    words = asked.replace("-", " ").split()
    for short, profile in sorted(shipped.items(), key=lambda one: -len(one[0])):
        if all(word in words for word in short.replace("-", " ").split()):
            return profile
    raise UserError(f"no profile of a device `{name}`; there are {', '.join(shipped)}")


def local_file() -> Path:
    """Return where this machine's profile is kept, in the user's cache."""
    return cache_folder() / "showdown" / FILE


def local_profile() -> DeviceProfile | None:
    """Return what `showdown doctor --measure` found on this machine; None where it was not run, or is damaged."""
    try:
        return DeviceProfile.model_validate_json(read_file(local_file()))
    except (OSError, ValueError):
        return None

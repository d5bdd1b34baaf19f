"""What do images start from where no registry can be reached? Debian with Python, made from Debian's packages."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

from testcluster import image_archive
from testcluster.commands import own_environment, politely, run
from testcluster.folders import cache_folder
from testcluster.image_archive import write_image
from testcluster.packages import FOR_THE_BASE_IMAGE, install
from testcluster.progress import Progress

# Stands in for docker.io/library/python:3.13-slim: the same Debian and Python, `python` and `pip` by the same names.
NAME = "localhost/dormouse-base:3.13"
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMAND = (
    "mmdebstrap",
    "--variant=minbase",
    "--include=python3,python3-pip,ca-certificates",
    '--aptopt=APT::Install-Recommends "false"',
    '--customize-hook=ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
    '--customize-hook=rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    '--customize-hook=rm -rf "$1"/usr/share/doc/* "$1"/usr/share/locale/* "$1"/var/cache/*',
    "trixie",
)
_MADE_WITHIN_SECONDS = 1200.0


def archive(progress: Progress) -> Path:
    """The image as a file that buildah, docker and containerd load; made once."""
    inputs = "\0".join((NAME, *_COMMAND, Path(image_archive.__file__).read_text())).encode()
    made = cache_folder() / f"base-{hashlib.sha256(inputs).hexdigest()[:16]}.tar"
    if made.exists():
        return made
    install(FOR_THE_BASE_IMAGE, progress)
    progress.say("base image: made from Debian's packages, once (two minutes)")
    started = time.monotonic()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="base.new-") as temporary:
        root = Path(temporary) / "root.tar"
        environment = own_environment(TMPDIR=temporary)
        run(politely([*_COMMAND, str(root)]), environment=environment, seconds=_MADE_WITHIN_SECONDS)
        for old in cache_folder().glob("base-*.tar"):
            old.unlink()
        write_image(made, NAME, root.read_bytes(), command=("python",), environment=(f"PATH={_PATH}", "LANG=C.UTF-8"))
    progress.say(f"base image: made in {time.monotonic() - started:.0f} s")
    return made

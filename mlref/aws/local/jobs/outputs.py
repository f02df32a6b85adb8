"""What a job saves in S3, in its role: single objects, and the files of a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.inputs import DownloadError, require_readable
from mlref.aws.local.world import World

__all__ = ["Outputs", "Upload", "saving"]

_SAVE_S = 1.0  # between two looks for what is to be saved while a program runs


class Outputs:
    """Saves in a role.

    Args:
        world: holds S3, and the roles.
        role: that the job has, or None.
    """

    def __init__(self, world: World, role: str | None) -> None:
        self._world = world
        self._role = role

    def put(self, uri: str, content: bytes) -> None:
        """Save an object.

        Args:
            uri: as in "s3://bucket/key".
            content: of it.

        Raises:
            DownloadError: the role may not.
            AwsError: there is no such bucket.
        """
        require_readable(self._world, self._role, uri, to="write")
        self._world.objects.put(uri, content)


class Upload:
    """A folder whose files are saved, perhaps again and again while they are written.

    Args:
        outputs: saves them.
        folder: may not be there.
        uri: of the prefix, which ends with "/".
    """

    def __init__(self, outputs: Outputs, folder: Path, uri: str) -> None:
        self._outputs = outputs
        self._folder = folder
        self._uri = uri
        self._saved: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def sync(self) -> None:
        """Save what is new or has changed. Symbolic links are left out, as AWS does.

        Raises:
            DownloadError: the role may not.
            AwsError: there is no such bucket.
        """
        with self._lock:
            for path in sorted(self._folder.rglob("*")):
                try:
                    if path.is_symlink() or not path.is_file():
                        continue
                    told = path.stat()
                    name = path.relative_to(self._folder).as_posix()
                    state = (told.st_mtime_ns, told.st_size)
                    if self._saved.get(name) == state:
                        continue
                    content = path.read_bytes()
                except FileNotFoundError:  # the script has moved it away meanwhile
                    continue
                self._outputs.put(self._uri + name, content)
                self._saved[name] = state


@contextmanager
def saving(uploads: Sequence[Upload], *, job: str) -> Iterator[None]:
    """Save again and again while the block runs.

    What goes wrong is not told: whoever saves the same once more afterwards is told it.

    Args:
        uploads: what is saved.
        job: its name, after which the thread is called.
    """
    over = threading.Event()

    def work() -> None:
        while not over.wait(_SAVE_S):
            for each in uploads:
                with suppress(AwsError, DownloadError, OSError):
                    each.sync()

    if not uploads:
        yield
        return
    thread = threading.Thread(target=work, name=f"outputs of {job}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

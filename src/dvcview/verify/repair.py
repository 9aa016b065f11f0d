"""The shell command that mends a file.

A damaged file is deleted before DVC is asked for it: by its size, time and inode DVC would take it
for sound. No command writes md5s of damaged files into dvc.lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from shlex import quote

from dvcview.files.hashes import md5_of_bytes
from dvcview.project.git import git_bytes
from dvcview.verify.expected import Expected, Out, OutFile
from dvcview.verify.manifest import Inventory


@dataclass(frozen=True)
class Repairs:
    """Knows where else the content of a damaged file is."""

    inventory: Inventory
    expected: Expected
    has_remote: bool

    def file(self, file: OutFile) -> str:
        """Of a file of the workspace."""
        path, stored = quote(file.path), quote(self.inventory.object_path(file.md5))
        cached = self.inventory.has_object(file.md5)
        listed = file.out.path == file.path or self.inventory.has_object(file.out.md5)
        copy = self.inventory.copy_of(file.md5)
        sources = (
            (self._is_committed(file), f"git checkout HEAD -- {path}"),
            (cached and listed and not file.out.in_git, f"rm -f {path} && dvc checkout {path}"),
            (cached, f"install -m 644 {stored} {path}"),
            (copy, f"install -m 644 {quote(copy or '')} {path}"),
        )
        return next((command for there, command in sources if there), None) or self._again(file)

    def folder(self, out: Out) -> str:
        """Of a folder whose listing is lost."""
        listing = self.inventory.object_path(out.md5)
        return f"rm -rf {quote(out.path)} {quote(listing)} && {self.remake(out.stage)}"

    def object(self, name: str) -> str:
        """Of an object in DVC's cache."""
        stored = quote(self.inventory.object_path(name))
        copy = self.inventory.copy_of(name)
        if copy:
            return f"install -m 444 {quote(copy)} {stored}"
        for out in self.expected.outs:
            if out.md5 == name and self.inventory.has_out(out.path, name):
                return f"rm -f {stored} && {self.commit(out.stage)}"
        for file in self.expected.files:
            if file.md5 == name and self._is_committed(file):
                path = quote(file.path)
                return f"git checkout HEAD -- {path} && install -m 444 {path} {stored}"
            if file.md5 == name:
                return self._again(file)
        for out in self.expected.unlisted:
            if out.md5 == name:
                return self.folder(out)
        return f"rm -f {stored}"  # of an older state: DVC makes it again when it is asked for

    def run(self, entry: str, stage: str | None) -> str:
        """Of what DVC's run cache remembers of a stage, if it is the stage as it is now."""
        forget = f"rm -f {quote(entry)}"  # then the stage runs again instead of being restored
        if stage is None or not self._is_sound(stage):
            return forget
        # Only --force writes it, and would also accept whatever has changed since.
        unchanged = f"dvc status --quiet {quote(stage)}"
        return f"{forget} && {unchanged} && dvc commit --force {quote(stage)}"

    def commit(self, stage: str) -> str:
        """Puts what the cache lacks back from the workspace; asks if dvc.lock has another state."""
        return f"dvc commit {quote(stage)}"

    def remake(self, stage: str) -> str:
        """Gets the outs of a stage from elsewhere, or makes them."""
        run = f"dvc repro --force --single-item {quote(stage)}"
        return f"(dvc pull {quote(stage)} || {run})" if self.has_remote else run

    def _again(self, file: OutFile) -> str:
        """When neither the workspace nor the cache has it."""
        path, stored = quote(file.path), quote(self.inventory.object_path(file.md5))
        first = next(one for one in self.expected.files if one.md5 == file.md5)
        if first != file and not file.out.in_git:  # the first file's command brings the object back
            return f"rm -f {path} && dvc checkout {path}"
        return f"rm -f {path} {stored} && {self.remake(file.out.stage)}"

    def _is_committed(self, file: OutFile) -> bool:
        return file.out.in_git and self._committed.get(file.path) == file.md5

    @cached_property
    def _committed(self) -> dict[str, str]:
        """The md5 of each out in HEAD, of those that git keeps."""
        contents = {
            out.path: git_bytes(self.inventory.root, "show", f"HEAD:./{out.path}")
            for out in self.expected.outs
            if out.in_git
        }
        return {path: md5_of_bytes(content) for path, content in contents.items() if content}

    def _is_sound(self, stage: str) -> bool:
        outs = [out for out in self.expected.outs if out.stage == stage]
        return all(self.inventory.has_out(out.path, out.md5) for out in outs)

"""The shell commands that repair damaged files.

Each command deletes a damaged file before DVC restores it: its size, modification time and inode
may be unchanged, and then DVC would consider it intact. No command writes the MD5 of a damaged
file into dvc.lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from shlex import quote

from dvcview.files.checksum import md5_of_bytes
from dvcview.project.git import git_bytes
from dvcview.verify.expected import Expected, Out, OutFile
from dvcview.verify.manifest import Manifest


@dataclass(frozen=True)
class Repairs:
    """Finds the command for a damaged file, by the places that have an intact copy of it."""

    manifest: Manifest
    expected: Expected
    has_remote: bool

    def file(self, file: OutFile) -> str:
        """The command that repairs a file of the workspace."""
        path, object_path = quote(file.path), quote(self.manifest.object_path(file.md5))
        is_cached = self.manifest.has_object(file.md5)
        is_listed = file.out.path == file.path or self.manifest.has_object(file.out.md5)
        copy = self.manifest.copy_of(file.md5)
        sources = (
            (self._is_committed(file), f"git checkout HEAD -- {path}"),
            (
                is_cached and is_listed and not file.out.in_git,
                f"rm -f {path} && dvc checkout {path}",
            ),
            (is_cached, f"install -m 644 {object_path} {path}"),
            (copy, f"install -m 644 {quote(copy or '')} {path}"),
        )
        command = next((command for exists, command in sources if exists), None)
        return command or self._recreate(file)

    def folder(self, out: Out) -> str:
        """The command that recreates a folder whose list of files is lost."""
        listing = self.manifest.object_path(out.md5)
        return f"rm -rf {quote(out.path)} {quote(listing)} && {self._again(out)}"

    def object(self, name: str) -> str:
        """The command that repairs an object in DVC's cache."""
        object_path = quote(self.manifest.object_path(name))
        copy = self.manifest.copy_of(name)
        if copy:
            return f"install -m 444 {quote(copy)} {object_path}"
        for out in self.expected.outs:
            if out.md5 == name and self.manifest.has_out(out.path, name):
                return f"rm -f {object_path} && {self.commit(out.stage)}"
        for file in self.expected.files:
            if file.md5 == name and self._is_committed(file):
                path = quote(file.path)
                return f"git checkout HEAD -- {path} && install -m 444 {path} {object_path}"
            if file.md5 == name:
                return self._recreate(file)
        for out in self.expected.unlisted:
            if out.md5 == name:
                return self.folder(out)
        return f"rm -f {object_path}"  # it belongs to an older state, which DVC can reproduce

    def run(self, entry: str, stage: str | None) -> str:
        """The command that repairs an entry of DVC's run cache.

        Args:
            entry: the path of the entry.
            stage: the stage whose entry in dvc.lock has the same hash; None if there is none.
        """
        delete = f"rm -f {quote(entry)}"  # then DVC runs the stage instead of restoring its outs
        if stage is None or not self._is_intact(stage):
            return delete
        # Only --force writes the entry again. It would also commit later changes, so it runs only
        # if `dvc status` finds none.
        is_unchanged = f"dvc status --quiet {quote(stage)}"
        return f"{delete} && {is_unchanged} && dvc commit --force {quote(stage)}"

    def commit(self, stage: str) -> str:
        """The command that copies the outs of a stage from the workspace to the cache.

        DVC asks before it changes dvc.lock.
        """
        return f"dvc commit {quote(stage)}"

    def remake(self, stage: str) -> str:
        """The command that runs a stage again.

        It repairs results that agree with a wrong dvc.lock. `dvc pull` would change nothing then,
        and report that everything is up to date.
        """
        return f"dvc repro --force --single-item {quote(stage)}"

    def _again(self, out: Out) -> str:
        """The command that pulls an out from the remote and, if that fails, runs its stage."""
        pull = f"dvc pull {quote(out.stage)}"
        if out.stage.endswith(".dvc"):  # of `dvc add`: no stage makes it
            return pull
        # A remote has no outs of git, but `dvc pull` reports success.
        if out.in_git or not self.has_remote:
            return self.remake(out.stage)
        return f"({pull} || {self.remake(out.stage)})"

    def _recreate(self, file: OutFile) -> str:
        """The command for a file of which neither the workspace nor the cache has a copy."""
        path, object_path = quote(file.path), quote(self.manifest.object_path(file.md5))
        first = next(other for other in self.expected.files if other.md5 == file.md5)
        if first != file and not file.out.in_git:  # the command for `first` restores the object
            return f"rm -f {path} && dvc checkout {path}"
        return f"rm -f {path} {object_path} && {self._again(file.out)}"

    def _is_committed(self, file: OutFile) -> bool:
        return file.out.in_git and self._md5_at_head.get(file.path) == file.md5

    @cached_property
    def _md5_at_head(self) -> dict[str, str]:
        """The MD5 in HEAD of each out that git tracks, by path."""
        contents = {
            out.path: git_bytes(self.manifest.root, "show", f"HEAD:./{out.path}")
            for out in self.expected.outs
            if out.in_git
        }
        return {path: md5_of_bytes(content) for path, content in contents.items() if content}

    def _is_intact(self, stage: str) -> bool:
        outs = [out for out in self.expected.outs if out.stage == stage]
        return all(self.manifest.has_out(out.path, out.md5) for out in outs)

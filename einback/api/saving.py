"""Compiled programs from files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from einback.run.loaded import Loaded
from einback.run.saved import read

__all__ = ["Loaded", "load"]


def load(path: str | PathLike[str]) -> Loaded:
    """The program that `fn.save(path)` wrote: called as it was, for the shapes and dtypes it was saved for.

    Nothing is derived or planned again. A file holds Python source that is run, so load only files that you trust,
    as with any program. A file that is damaged or of another version is a `CompileError`, arrays that the program
    was not saved for are an `ArrayError`. `fn.source()` and `fn.plan()` are those of the saved program.

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> import einback as eb
    >>> x = eb.tensor("x[n]")
    >>> fn = eb.compile({"y": eb.sum(x**3), "slope": eb.grad(eb.sum(x**3), x)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "cubes.json"
    ...     fn.save(path, x=(2,))
    ...     cubes = eb.load(path)
    >>> cubes(x=np.array([1.0, 2.0]))
    {'y': np.float64(9.0), 'slope': array([ 3., 12.])}
    >>> cubes(x=np.ones(3))
    Traceback (most recent call last):
      ...
    einback.errors.ArrayError: no program was saved for x (3,) float64; there is one for x (2,) float64
    call the compiled program with such arrays, and save it again
    """
    return Loaded(read(Path(path)))

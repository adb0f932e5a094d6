"""The commands: each reads a program, asks the API, and prints what it says.

Errors of einback's go to standard error as the API words them, and the exit status is 1; wrong usage exits with 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from einback.api.checking import check as checked
from einback.api.compiling import compile as compiled
from einback.api.derivatives import grad, jacobian
from einback.api.derivatives import hessian as hessian_of
from einback.api.diagrams import diagram as drawn
from einback.api.samples import sample, sample_sizes
from einback.api.tensor import Tensor
from einback.cli.formats import DERIVATIONS, FORMULAS, Format, Printed
from einback.cli.programs import Declared, assignments, declared
from einback.errors import DerivativeError, EinbackError, NotationError
from einback.formula.notations import NOTATIONS
from einback.run.functional.dialects import TARGETS

__all__ = ["einback"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="einback")
def einback() -> None:
    """Derive gradients of programs in index notation: as formulas, as source, as drawings.

    A PROGRAM is a file, - for standard input, or text; in text on the command line a semicolon ends a line.

    \b
    einback derive "loss = (X[n,d] w[d] - y[n])^2" --wrt w
    einback derive network.ein --wrt W --steps
    einback check "l = log(sum[i](exp(x[i])))"
    einback source network.ein --target torch > step.py
    einback diagram "y = x[i] A[i,j] x[j]" --wrt x -o form.svg

    Completion: eval "$(_EINBACK_COMPLETE=bash_source einback)", or zsh_source, or fish_source.
    """


def on_program(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options of all commands, which get the program that was read; errors are told in words."""

    @wraps(command)
    def run(
        program: str, of: str | None, declarations: tuple[str, ...], bound: tuple[str, ...], wrt: tuple[str, ...],
        **options: Any,
    ) -> None:  # fmt: skip
        try:
            command(declared(program, of, wrt, declarations, bound), **options)
        except (EinbackError, OSError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)

    return decorated(
        run,
        click.option(
            "--wrt", metavar="NAME", multiple=True,
            help="Differentiate by this; may come again. All inputs if left out.",
        ),
        click.option("--let", "bound", metavar="i=3", multiple=True, help="Give an index a size that is a number."),
        click.option(
            "--declare", "declarations", metavar='"A[n,n] symmetric"', multiple=True,
            help="Say what is known of an input: symmetric, positive, integer, ..",
        ),
        click.option("--of", metavar="NAME", help="What is meant: any name; the last definition if left out."),
        click.argument("program"),
    )  # fmt: skip


def in_notation(command: Callable[..., None]) -> Callable[..., None]:
    about = "; ".join(f"{name}: {one.about}" for name, one in NOTATIONS.items())
    options = "; ".join(
        f"{notation}: {name}={'|'.join(values) or 'NAME'}"
        for notation, one in NOTATIONS.items()
        for name, values in one.options.items()
    )
    return decorated(
        command,
        click.option("--format", "form", type=click.Choice(list(FORMULAS)), default="text", show_default=True),
        click.option(
            "--notation", type=click.Choice(list(NOTATIONS)), default="index", show_default=True, help=f"{about}."
        ),
        click.option(
            "--option", "-O", "options", metavar="NAME=VALUE", multiple=True, callback=pairs,
            help=f"What may be chosen in a notation. {options}.",
        ),
    )  # fmt: skip


def pairs(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    """The values of options by their names."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or all(name not in notation.options for notation in NOTATIONS.values()):
            raise click.BadParameter(f"{one!r} is no NAME=VALUE of a notation", param=option)
        found[name] = value
    return found


def decorated(command: Callable[..., None], *decorators: Callable[..., Any]) -> Callable[..., None]:
    for decorate in decorators:
        command = decorate(command)
    return command


def with_sizes(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--sizes", metavar="n=100", multiple=True, help="Lengths of axes; small ones are taken for those left out."
    )(command)


def to_file(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write into a file.")(
        command
    )


def complete(results: Sequence[Printed], notation: str, form: Format, output: Path | None) -> None:
    """Print what has a form in the notation; of what has none, say why, and tell the shell."""
    written = []
    for one in results:
        try:
            written.append(form.one(one, notation))
        except NotationError as error:
            click.echo(f"error: {one.name}: {error}", err=True)
    if written:
        told(form.joined(written), output)
    if len(written) < len(results):
        sys.exit(1)


def told(text: str, output: Path | None = None) -> None:
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        output.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


@einback.command()
@on_program
@in_notation
@click.option("--steps", is_flag=True, help="Show the derivation step by step.")
@to_file
def derive(
    read: Declared, notation: str, options: Mapping[str, str], form: str, steps: bool, output: Path | None,
) -> None:  # fmt: skip
    """Print gradients of a scalar, or Jacobians of what is none."""
    if steps and options:
        raise NotationError("steps are written without options", hint="leave out --option, or --steps")
    results = [Printed(read.of, (x,), one, options) for x, one in zip(read.by, slopes(read), strict=True)]
    complete(results, notation, (DERIVATIONS if steps else FORMULAS)[form], output)


@einback.command()
@on_program
@in_notation
@to_file
def hessian(
    read: Declared, notation: str, options: Mapping[str, str], form: str, output: Path | None,
) -> None:  # fmt: skip
    """Print the blocks of a Hessian, on and below the diagonal: by every two of the inputs."""
    blocks = hessian_of(read.of, list(read.by))
    places = [(k, m) for k in range(len(read.by)) for m in range(k + 1)]
    results = [Printed(read.of, (read.by[k], read.by[m]), blocks[k][m], options) for k, m in places]
    complete(results, notation, FORMULAS[form], output)


@einback.command()
@on_program
@with_sizes
@click.option("--target", type=click.Choice(list(TARGETS)), default="numpy", show_default=True)
@click.option("--readable", is_flag=True, help="For numpy: a plain function, not the program in its own memory.")
@click.option("--with-check", is_flag=True, help="The file tests its gradients when it is run.")
@click.option("--function-name", metavar="NAME", help="What the function is called.")
@to_file
def source(
    read: Declared, sizes: tuple[str, ...], target: str, readable: bool, with_check: bool, function_name: str | None,
    output: Path | None,
) -> None:  # fmt: skip
    """Write a standalone file that computes a value and its gradients."""
    text = compiled(outputs(read)).source(
        sample_sizes(read.of, assignments(sizes)),
        target=target, readable=readable or None, with_check=with_check, function_name=function_name,
    )  # fmt: skip
    told(text, output)


@einback.command()
@on_program
@to_file
def diagram(
    read: Declared, output: Path | None,
) -> None:  # fmt: skip
    """Draw a tensor and, with --wrt, its gradients: as SVG, or into a .svg, .tex or .png file."""
    picture = drawn(read.of, *(slopes(read) if read.asked else ()))
    if output is None:
        told(picture.svg)
    else:
        picture.save(output)


@einback.command()
@on_program
@with_sizes
def plan(
    read: Declared, sizes: tuple[str, ...],
) -> None:  # fmt: skip
    """Print what a value and its gradients cost: flops, bytes, and every step."""
    told(str(compiled(outputs(read)).plan(sample_sizes(read.of, assignments(sizes)))))


@einback.command()
@on_program
@with_sizes
@click.option("--seed", default=0, show_default=True, help="Of the random arrays.")
def check(
    read: Declared, sizes: tuple[str, ...], seed: int,
) -> None:  # fmt: skip
    """Compare derived gradients with numerical ones, on random arrays; exit with 1 where they differ."""
    report = checked(read.of, list(read.by), **sample(read.of, assignments(sizes), seed).arrays)
    told(str(report))
    if not report:
        sys.exit(1)


def slopes(read: Declared) -> list[Tensor]:
    """The gradient of a scalar by each input, or the Jacobian of what is none."""
    if not read.by:
        raise DerivativeError("there is nothing to differentiate by", hint="name an input: --wrt W")
    if read.of.ndim:
        return [jacobian(read.of, x) for x in read.by]
    found: list[Tensor] = grad(read.of, list(read.by))
    return found


def outputs(read: Declared) -> dict[str, Tensor]:
    """A value and its gradients, under their names."""
    named = {read.of.name or "value": read.of}
    return named | {f"d{x.name}": slope for x, slope in zip(read.by, slopes(read), strict=True)}

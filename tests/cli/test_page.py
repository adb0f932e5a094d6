"""The commands of the page on the command line print what it shows."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from einback.cli.commands import einback

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "command_line.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [command for block in BLOCKS for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_prints_what_the_page_shows(command: str):
    line, _, expected = command.partition("\n")
    name, *args = shlex.split(line)
    assert name == "einback"
    result = CliRunner().invoke(einback, args, catch_exceptions=False)
    assert doctest.OutputChecker().check_output(expected, result.output, doctest.ELLIPSIS), result.output


def test_every_command_is_on_the_page():
    for name in einback.commands:
        assert f"einback {name} " in PAGE

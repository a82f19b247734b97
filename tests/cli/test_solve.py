"""Verdicts by name."""

import ast
import inspect

import jaxgibbs._solution
from jaxgibbs.cli.solve import VERDICTS


def test_every_result_has_its_name():
    tree = ast.parse(inspect.getsource(jaxgibbs._solution))
    results = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "RESULTS")
    members = [node.targets[0].id for node in results.body if isinstance(node, ast.Assign)]
    assert sorted(members) == sorted(VERDICTS)

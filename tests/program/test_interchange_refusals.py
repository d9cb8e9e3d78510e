"""JSON that is no program is refused: strict readers, and files made to do harm."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program.json_forms import EVERYTHING, GOOD, ONE, changed, network
from program.reading import nothing_runs

from tensorprog.errors import ExpressionError, ProgramError, TensorProgramError
from tensorprog.program.interchange import from_object, program_from_json, to_object

OUTPUT = ["outputs", 0]

# -- what is refused


@pytest.mark.parametrize(
    ("path", "value", "error", "said"),
    [
        (["format"], "onnx", ExpressionError, "format 'onnx', not 'tensorprog program'; pass what"),
        (["format"], None, ExpressionError, "format None, not 'tensorprog program'"),
        (["version"], 3, ExpressionError, "version 3, this library reads versions 1 and 2; write it anew"),
        (["version"], 0, ExpressionError, "version 0, this library reads versions 1 and 2"),
        (["version"], "1", ExpressionError, "version '1', this library reads versions 1 and 2"),
        (["version"], True, ExpressionError, "version True, this library reads versions 1 and 2"),
        (["version"], 1.0, ExpressionError, "version 1.0, this library reads versions 1 and 2"),
        (["comment"], "hello", ExpressionError, "the program has an unknown field 'comment'; its fields are format"),
        (["nodes"], {}, ExpressionError, "'nodes' contains {}; give a list"),
        (["nodes"], "in0", ExpressionError, "'nodes' contains 'in0'; give a list"),
        (["nodes"], [[]], ExpressionError, r"node number 0 is \[\], not an object"),
        (["nodes"], [{}], ExpressionError, "node number 0 has no field 'name', only none; add it"),
        (["nodes"], [{"name": "x", "size": 1}], ExpressionError, "no field 'op', only 'name', 'size'; add it"),
        (["nodes", "in0", "name"], 3, ExpressionError, "node number 0: 'name' contains 3; give a string"),
        (["nodes", "in0", "name"], "U", ProgramError, "node 'U' is defined twice, again as number 1; give it another"),
        (["nodes", "in0", "name"], "x1", ProgramError, "node 'x1' is defined twice, again as number 2; give it"),
        (["nodes", "in0", "op"], "eval", ExpressionError, "node 'in0' has op 'eval'; known are input, parameter"),
        (["nodes", "in0", "op"], "__class__", ExpressionError, "op '__class__'; known are"),
        (["nodes", "in0", "op"], None, ExpressionError, "'op' contains None; give a string"),
        (["nodes", "in0", "op"], "moment", ExpressionError, r"node 'in0' \('moment'\) has no field 'args'"),
        (["nodes", "in0", "index"], -1, ExpressionError, "'index' contains -1; give nonnegative integers"),
        (["nodes", "in0", "index"], True, ExpressionError, "'index' contains True; give nonnegative integers"),
        (["nodes", "in0", "index"], 0.0, ExpressionError, "'index' contains 0.0; give nonnegative integers"),
        (["nodes", "in0", "index"], "0", ExpressionError, "'index' contains '0'; give nonnegative integers"),
        (["nodes", "in0", "index"], 10**30, ExpressionError, "'index'.*; "),
        (["nodes", "in0", "position"], None, ExpressionError, "'position' contains None; give nonnegative"),
        (["nodes", "in0", "rows"], "n", ExpressionError, "node 'in0' .* unknown field 'rows'; its fields are index"),
        (["nodes", "U", "rows"], 64, ExpressionError, "node 'U' .*'rows' contains 64; give a string"),
        (["nodes", "U", "rows"], "1", ExpressionError, "'rows' contains '1'; give a width or null"),
        (["nodes", "U", "rows"], "64", ExpressionError, "field 'rows': '64' is no width; write it as n, 2n"),
        (["nodes", "U", "rows"], "-n", ExpressionError, "field 'rows': '-n' is no width; write it as n, 2n"),
        (["nodes", "U", "rows"], "0n", ExpressionError, "field 'rows': '0n' is an empty width; give a positive"),
        (["nodes", "U", "rows"], "1/0n", ExpressionError, "field 'rows': '1/0' divides by zero; give another"),
        (["nodes", "U", "rows"], "2n", ProgramError, "'v' of width n with 'x2' of width 2n; bring both to one width"),
        (["nodes", "U", "rows"], None, ProgramError, "'U' is a vector of width d0, a matrix is needed; multiply"),
        (["nodes", "U", "std"], 1, ExpressionError, "node 'U' .*'std' contains 1; give a string"),
        (["nodes", "U", "std"], "nan", ExpressionError, "field 'std': 'nan' is no exact number; write it as 2"),
        (["nodes", "U", "std"], "0.1", ExpressionError, "field 'std': '0.1' is no exact number; write it as 2"),
        (["nodes", "U", "std"], " 1", ExpressionError, "field 'std': ' 1' is no exact number; write it as 2"),
        (["nodes", "U", "std"], "1_0", ExpressionError, "field 'std': '1_0' is no exact number; write it as 2"),
        (["nodes", "U", "std"], "1/0", ExpressionError, "field 'std': '1/0' divides by zero; give another"),
        (["nodes", "U", "std"], "9" * 5000, ExpressionError, "node 'U' .*field 'std': '999.* is no exact number"),
        (["nodes", "U", "trainable"], 1, ExpressionError, "'trainable' contains 1; give true or false"),
        (["nodes", "U", "trainable"], "false", ExpressionError, "'trainable' contains 'false'; give true or false"),
        (["nodes", "x1", "matrix"], ["U"], ExpressionError, r"'matrix' contains \['U'\]; give a string"),
        (["nodes", "x1", "matrix"], "zz", ProgramError, "node 'x1' reads 'zz', which is not defined before it; define"),
        (["nodes", "x1", "vector"], "x2", ProgramError, "node 'x1' reads 'x2', which is not defined before it; define"),
        (["nodes", "x1", "transpose"], None, ExpressionError, "'transpose' contains None; give true or false"),
        (["nodes", "x2", "order"], 0, ExpressionError, "'order' contains 0; give a list"),
        (["nodes", "x2", "order"], [], ProgramError, r"applies erf of 1 arguments, order \(\), to 1; give one"),
        (["nodes", "x2", "order"], [-1], ExpressionError, "'order' contains -1; give nonnegative integers"),
        (["nodes", "x2", "order"], [10**30], ExpressionError, "'order'.*; "),
        (["nodes", "x2", "args"], "x1", ExpressionError, "'args' contains 'x1'; give a list"),
        (["nodes", "x2", "args"], [1], ExpressionError, "'args' contains 1; give a list of strings"),
        (["nodes", "x2", "args"], [], ProgramError, "node 'x2' applies erf of 1 arguments.* to 0; give one"),
        (["nodes", "s3", "args"], [], ProgramError, "node 's3' has no operands; drop it or give it at least one"),
        (["nodes", "s4", "terms"], [], ProgramError, "node 's4' has no operands; drop it or give it at least one"),
        (["nodes", "s4", "terms"], [["1", "s3"]], ExpressionError, "a term of node 's4' .*not an object; pass"),
        (["nodes", "s4", "terms"], [{"of": "s3"}], ExpressionError, "a term of node 's4' .*no field 'coefficient'"),
        (["nodes", "s4", "terms"], [{"of": "s3", "coefficient": 1}], ExpressionError, "coefficient of .*is 1, not an"),
        (["nodes", "s4", "terms"], [{"of": "s3", "coefficient": {"value": "1"}}], ExpressionError, "no field 'power'"),
        (["nodes", "s4", "terms"], [{"of": "s3", "coefficient": ONE | {"log": "1"}}], ExpressionError, "unknown field"),
        (["outputs"], ["s4"], ExpressionError, "output number 0 is 's4', not an object"),
        (["outputs"], {"F0": "s4"}, ExpressionError, r"'outputs' contains \{'F0': 's4'\}; give a list"),
        (["outputs"], [], ProgramError, "the program has no output; return a scalar"),
        ([*OUTPUT, "label"], None, ExpressionError, "output number 0: 'label' contains None; give a string"),
        ([*OUTPUT, "node"], None, ExpressionError, "output number 0: 'node' contains None; give a string"),
        ([*OUTPUT, "node"], "zz", ProgramError, "output 'F0' is 'zz', which is not defined; correct the name"),
        ([*OUTPUT, "node"], "x1", ProgramError, "output 'F0' is node 'x1', a vector of width n, not a scalar; end"),
        ([*OUTPUT, "node"], "s3", ProgramError, "unused node 's4': .*; use it or remove it"),
        ([*OUTPUT, "input"], -1, ExpressionError, "output number 0: 'input' contains -1; give nonneg"),
        ([*OUTPUT, "input"], True, ExpressionError, "output number 0: 'input' contains True; give nonneg"),
        ([*OUTPUT, "input"], "0", ExpressionError, "output number 0: 'input' contains '0'; give nonneg"),
        ([*OUTPUT, "component"], 0.5, ExpressionError, "output number 0: 'component' contains 0.5; give nonneg"),
        ([*OUTPUT, "measure"], "norm", ExpressionError, "contains 'norm'; give one of value, squared norm, operator"),
        ([*OUTPUT, "units"], 1, ExpressionError, "output number 0 has an unknown field 'units'"),
        (["slots"], {}, ExpressionError, "'slots' contains {}; give a list"),
        (["slots"], [{"parameter": "zz", "terms": []}], ProgramError, "slot of 'zz': no node has this name; correct"),
        (["slots"], [{"parameter": "U", "terms": 0}], ExpressionError, "slot of 'U': 'terms' contains 0; give a list"),
        (["slots"], [{"parameter": "U"}], ExpressionError, "slot of 'U' has no field 'terms'"),
        (["slots"], [{"parameter": "U", "terms": [{}]}], ExpressionError, "term of the slot of 'U' has no field"),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, list | str | int) else getattr(value, "__name__", None),
)
def test_what_does_not_fit_is_named(path, value, error, said):
    text = changed(*path, value=value)
    with nothing_runs(), pytest.raises(error, match=said) as refusal:
        program_from_json(text)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("field", ["format", "version", "nodes", "outputs", "slots"])
def test_missing_fields_are_named(field):
    content = to_object(network())
    del content[field]
    with pytest.raises(ExpressionError, match=f"the program has no field '{field}', only .*; add it"):
        from_object(content)


@pytest.mark.parametrize("node", EVERYTHING["nodes"], ids=lambda node: node["op"])
def test_every_field_of_every_node_is_needed(node):
    optional = {"width", "position"}
    for field in node.keys() - optional:
        nodes = [{k: v for k, v in x.items() if x is not node or k != field} for x in EVERYTHING["nodes"]]
        with pytest.raises(ExpressionError, match=f"has no field '{field}', only .*; add it"):
            from_object({**EVERYTHING, "nodes": nodes})


CODE = "__import__('os').system('touch owned')"


@pytest.mark.parametrize(
    "text",
    [
        changed("nodes", "x2", "function", value=CODE),
        changed("nodes", "x2", "function", value=f"expression({CODE})"),
        changed("nodes", "x2", "function", value=f"phi={CODE}"),
        changed("nodes", "x2", "function", value=f"power({CODE})"),
        changed("nodes", "x2", "function", value="().__class__.__bases__[0].__subclasses__()"),
        changed("nodes", "x2", "function", value="lambda z: z"),
        changed("nodes", "x2", "function", value="9**9**9**9"),
        changed("nodes", "x2", "function", value="((9**64)**64)**64"),
        changed("nodes", "x2", "function", value="exp(exp(exp(exp(9))))"),
        changed("nodes", "x2", "function", value="(" * 9000),
        changed("nodes", "x2", "function", value="z*" * 40_000 + "z"),
        changed("nodes", "x2", "function", value={"__reduce__": ["os.system", [CODE]]}),
        changed("nodes", "x2", "function", value={"py/object": "os.system", "py/reduce": [CODE]}),
        changed("nodes", "x2", "function", value="cposix\nsystem\n(S'touch owned'\ntR."),
        changed("nodes", "x2", "__reduce__", value=["os.system", [CODE]]),
        changed("nodes", "in0", "op", value="__reduce__"),
        changed("__class__", value="tensorprog.program.Program"),
        changed("nodes", "U", "std", value=CODE),
        changed("nodes", "U", "rows", value=CODE),
        changed("nodes", "U", "std", value="9" * 10**6),
        changed("nodes", "U", "a", value="1/" + "9" * 10**6),
        GOOD.replace('"index": 0', '"index": 0, "index": 1'),
        GOOD.replace('"version": 2', '"version": 2, "version": 2'),
        GOOD.replace('"label": "F0"', '"label": "F0", "label": "F0"'),
        GOOD.replace('"index": 0', '"index": NaN'),
        GOOD.replace('"index": 0', '"index": Infinity'),
        GOOD.replace('"index": 0', '"index": -Infinity'),
        GOOD.replace('"index": 0', '"index": 1e999'),
        GOOD.replace('"version": 2', '"version": NaN'),
        GOOD.replace('"index": 0', '"index": ' + "9" * 4000),
        GOOD.replace('"index": 0', '"index": ' + "9" * 10**6),
        GOOD.replace('"version": 2', '"version": ' + "9" * 10**6),
        GOOD.replace('"slots": []', '"slots": ' + "[" * 10**5 + "]" * 10**5),
        GOOD.replace('"slots": []', '"slots": ' + '{"a":' * 10**5 + "1" + "}" * 10**5),
        "[" * 10**5,
        '{"a":' * 10**5,
        GOOD[:-2],
        GOOD + GOOD,
        GOOD.replace(",", ",,", 1),
        GOOD.replace('"', "'"),
        "// a comment\n" + GOOD,
        "\ufeff" + GOOD,
        "",
        "null",
        "[]",
        "{}",
        b"\x80\x04\x95\x00.",
        b"\xff\xfe\x00",
        pickle.dumps({"format": "tensorprog program"}),
        None,
        3,
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_malicious_files_are_refused_quickly_and_not_run(text):
    assert text != GOOD
    started = time.perf_counter()
    with nothing_runs(), pytest.raises(TensorProgramError) as refusal:
        program_from_json(text)
    assert time.perf_counter() - started < 2
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"index": 0', '"index": NaN', "the JSON contains NaN, which is no number of a program; use exact numbers"),
        ('"index": 0', '"index": -Infinity', "the JSON contains -Infinity, .*; use exact numbers as strings"),
        ('"index": 0', '"index": 0, "index": 0', "the JSON object defines 'index' twice; keep one"),
        ('"label": "F0"', '"label": "F0", "label": "F0"', "the JSON object defines 'label' twice; keep one"),
        ('"op": "input",', '"op": "input"', r"line \d+, column 4: no JSON \(.*\); pass what Program.to_json wrote"),
        ('"format"', "format", r"line 2, column 2: no JSON \(.*\); pass what Program.to_json wrote"),
    ],
)
def test_faults_of_the_json_itself_are_named(old, new, said):
    assert GOOD.count(old) == 1
    with pytest.raises(ExpressionError, match=said):
        program_from_json(GOOD.replace(old, new))


def test_any_depth_of_nesting_is_refused():
    for depth in range(880, 1010):
        text = GOOD.replace('"tensorprog program"', "[" * depth + "]" * depth)
        with pytest.raises(ExpressionError):
            program_from_json(text)


def test_objects_too_deep_or_too_large_to_show_are_refused():
    deep: list[Any] = []
    for _ in range(10**4):
        deep = [deep]
    for strange in (deep, 10**5000):
        for field in ("format", "version", "nodes"):
            with pytest.raises(ExpressionError, match=field.removesuffix("s")):
                from_object({**to_object(network()), field: strange})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["x1", "n", "1/2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside nested lists and objects."""
    for key in content if isinstance(content, dict) else range(len(content)):
        yield (*path, key)
        if isinstance(content[key], dict | list):
            yield from places(content[key], (*path, key))


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(list(places(EVERYTHING))), values, st.booleans())
def test_one_wrong_value_is_refused_or_read_exactly(path, value, insert):
    content = json.loads(json.dumps(EVERYTHING))
    place = content
    for step in path[:-1]:
        place = place[step]
    if insert and isinstance(place, list):
        place.insert(path[-1], value)
    elif insert:
        place[str(value)] = value
    else:
        place[path[-1]] = value
    with nothing_runs():
        try:
            program = program_from_json(json.dumps(content))
        except TensorProgramError:
            return
        assert program_from_json(program.to_json()) == program

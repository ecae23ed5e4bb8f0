"""
Files that nearly make sense, scripts of faults and worlds: they are understood or refused. Short
runs here, long ones with `make soak`.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import strategies as st

from nearly import JSON, SHORTLY, answered, look, nearly, tried
from vedette.service.faults import script
from vedette.service.state import worldfile

SCRIPT = """seed = 3
[[fault]]
name = "busy"
where = {method = "GET", path = "/subscriptions/**", operation = "incidents/read"}
when = {share = 0.5, times = 3}
status = 429
headers = {Retry-After = "1"}
"""


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_script_of_faults_is_understood_or_refused(examples):
    preset = [
        (script.Path(script.__file__).with_name(f"{name}.toml")).read_text()
        for name in script.PRESETS
    ]

    @look(
        examples,
        nearly([SCRIPT, *preset], ("[[fault]]\n", "= -1", "1e999", "nan", "inf", "[", "'")),
    )
    def check(told):
        for as_json in (False, True):
            tried(script.read, told.encode(errors="surrogatepass"), "s", as_json=as_json)

    @look(
        examples,
        st.dictionaries(
            st.sampled_from(["fault", "seed"]),
            JSON
            | st.lists(
                st.dictionaries(
                    st.sampled_from(
                        ["name", "where", "when", "status", "delay", "headers", "body", "times"]
                    ),
                    JSON,
                    max_size=4,
                ),
                max_size=2,
            ),
        ),
    )
    def check_tables(told):
        body = json.dumps(told).encode()
        answered("PUT", "/_vedette/faults", body, (("x-vedette-key", "the key"),))


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_world_file_is_understood_or_refused(examples, tmp_path):
    samples = [worldfile.__doc__.partition("TOML.\n")[2].partition("\nWhere")[0]]
    path = tmp_path / "world.toml"
    words = (
        "= []",
        "= 1",
        "= -1",
        "nan",
        "inf",
        "[",
        '"""',
        "[tenants.x]\n",
        "sample = 10e9",
        "..",
    )

    @look(examples, nearly(samples, words))
    def check(told):
        path.write_bytes(told.encode(errors="surrogatepass"))
        tried(worldfile.read, path)

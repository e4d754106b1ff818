"""The generic text reader: whatever the delimiter, decimal mark and header, the same numbers;
whatever is broken, said.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peled.formats import FormatError, read_text
from peled.formats.delimited import parse_number, read_table, split_unit, stated

X = np.array([400.0, 400.5, 401.25, 402.0])
Y = np.array([-1.5e-3, 0.25, 12.0, 3e5])


def numbers(table):
    return np.column_stack([column.values for column in table.columns])


def write(tmp_path, text, name="file.txt", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", ["\t", ";", ",", " ", "   ", " | ", ", "])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Wavelength (nm){d}Counts\n",
        "# made by hand\n# Date: 2021-03-03\n\nWavelength (nm){d}Counts\n",
    ],
)
def test_every_common_layout_gives_the_same_numbers(tmp_path, delimiter, decimal, header):
    if decimal == "," and "," in delimiter:
        pytest.skip("a comma cannot be both")
    text = (
        header.format(d=delimiter)
        + "\n".join(
            delimiter.join(f"{v:.6g}".replace(".", decimal) for v in row)
            for row in zip(X, Y, strict=True)
        )
        + "\n"
    )
    table = read_table(write(tmp_path, text))
    np.testing.assert_allclose(numbers(table), np.column_stack([X, Y]))
    if header:
        assert [(c.name, c.unit) for c in table.columns] == [("Wavelength", "nm"), ("Counts", "")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_newlines(tmp_path, encoding, newline):
    text = newline.join(["Länge / µm\tSignal", "1\t2", "3\t4"])
    table = read_table(write(tmp_path, text, encoding=encoding))
    assert table.columns[0].unit == "µm"
    np.testing.assert_array_equal(numbers(table), [[1, 2], [3, 4]])


@settings(max_examples=60)
@given(
    rows=st.lists(
        # Numbers of a size that files hold: smaller ones are refused.
        st.tuples(
            *(
                st.floats(*ends).map(lambda v: v if abs(v) > 1e-50 else 0.0)
                for ends in ((-1e12, 1e12), (-1e-3, 1e3), (0, 1))
            )
        ),
        min_size=2,
        max_size=20,
    ),
    delimiter=st.sampled_from(["\t", ";", " "]),
    comma=st.booleans(),
    lead=st.integers(0, 30),
)
def test_numbers_survive_a_round_trip(tmp_path_factory, rows, delimiter, comma, lead):
    lines = [f"Remark {i}: free text" for i in range(lead)] + [
        delimiter.join(repr(v) for v in row) for row in rows
    ]
    text = "\n".join(lines)
    if comma:
        text = text.replace(".", ",")
    table = read_table(write(tmp_path_factory.mktemp("t"), text))
    np.testing.assert_array_equal(numbers(table), np.array(rows))


def test_units_in_a_row_of_their_own(tmp_path):
    table = read_table(write(tmp_path, "V,J,L\nV,mA/cm2,cd/m2\n0,0.1,0\n1,0.2,5\n"))
    assert [(c.name, c.unit) for c in table.columns] == [
        ("V", "V"),
        ("J", "mA/cm2"),
        ("L", "cd/m2"),
    ]


def test_text_columns_and_metadata_and_footer(tmp_path):
    table = read_table(
        write(
            tmp_path,
            "Device: 7\nVoltage (V),direction,J\n0,up,1\n1,up,2\n0.5,down,3\nEnd of data\n",
        )
    )
    assert table.metadata["Device"] == "7"
    assert list(table.columns[1].values) == ["up", "up", "down"]
    assert table.account.counts == {"head": 1, "key": 1, "comment": 1, "data": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("only words here\nand here\n", "expected rows of numbers"),
        ("1,2\n", "at least two rows"),
        ("x,y\n1,2\n3,oops\n5,6\n", r"line 3, column 2: expected a number, found 'oops'"),
        ("x,y\n1,2\n3,4\n5,oops\n", r"line 4, column 2: expected a number, found 'oops'"),
        ("x,y\n1,bad\n3,4\n5,6\n", r"line 2, column 2: expected a number, found 'bad'"),
        ("x,y\n1,2\n3,\n5,6\n", r"line 3"),
        ("x,y\n1,2\n3,nan\n5,6\n", r"line 3, column 2: expected a number, found 'nan'"),
        ("x,y\n1,2\n3,4,5\n5,6\n7,8\n", r"line 3: expected 2 cells"),
        ("x,y\n1,2\n3\n5,6\n7,8\n", r"line 3: expected 2 cells"),
    ],
)
def test_broken_files_are_refused_with_their_place(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_table(write(tmp_path, text))


def test_missing_values_are_kept_only_when_asked(tmp_path):
    path = write(tmp_path, "x,y\n1,2\n3,nan\n5,6\n")
    assert np.isnan(read_table(path, allow_missing=True).columns[1].values[1])


def test_files_that_are_no_text(tmp_path):
    binary = tmp_path / "x.bin"
    binary.write_bytes(b"abc\0def" * 10)
    with pytest.raises(FormatError, match=r"byte 3: expected .*binary"):
        read_text(binary)
    with pytest.raises(FormatError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FormatError, match="a folder"):
        read_table(tmp_path)


def test_numbers_and_units():
    assert parse_number("1.0D-3") == 1e-3
    assert parse_number("1,5", ",") == 1.5
    assert (
        parse_number("0x10") is None and parse_number("nan") is None and parse_number("1 2") is None
    )
    assert split_unit("Energy [eV]") == ("Energy", "eV")


def test_an_error_can_cross_processes():
    import pickle

    error = FormatError("a/b.csv", expected="x", found="y", place="line 3", advice="z")
    assert (
        str(pickle.loads(pickle.dumps(error)))
        == str(error)
        == "a/b.csv, line 3: expected x, found y; z"
    )


# ---- nothing is lost, nothing is made up ---------------------------------------------------------

ROWS = [f"{400 + i},{10 + 3 * i}.5" for i in range(8)]
HEAD = ["# made by hand", "Sample: film 3", "", "Wavelength (nm),Counts"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [False, True])
def test_every_line_is_accounted_for_whatever_the_dress(tmp_path, encoding, newline, quoted):
    lines = [*HEAD, *ROWS[:4], "# lamp changed", "", *ROWS[4:], "End of “data”"]
    if quoted:
        lines = [
            '"' + line.replace(",", '","') + '"' if line[:1] in ("W", "4") else line
            for line in lines
        ]
    table = read_table(write(tmp_path, newline.join(lines), encoding=encoding))
    np.testing.assert_array_equal(table.columns[1].values, [10.5 + 3 * i for i in range(8)])
    assert table.metadata["Sample"] == "film 3"
    account = table.account
    assert account.counts == {"head": 1, "key": 1, "comment": 3, "data": 8}
    assert sum(account.counts.values()) == account.lines == sum(map(bool, lines))
    assert account.data == (5, 6, 7, 8, 11, 12, 13, 14) == tuple(table.lines)


@pytest.mark.parametrize("at", [0, 3, 7])
@pytest.mark.parametrize("headed", [True, False])
@pytest.mark.parametrize(
    "damaged",
    ["4O0,10", "439,", "439", ",10", "#ERR,49", "420,#N/A", "420,1e400", "420,1.2.3", "420,10,3"],
)
def test_a_damaged_row_is_refused_wherever_it_stands(tmp_path, at, headed, damaged):
    rows = ROWS.copy()
    rows[at] = damaged
    head = HEAD if headed else []
    with pytest.raises(FormatError, match=f"line {len(head) + at + 1}"):
        read_table(write(tmp_path, "\n".join(head + rows)))


@pytest.mark.parametrize(
    "more", [["", "500,1,2", "501,2,3"], ["Time,V", "0,1,2", "1,1,2"], ["", "7"], ["12;5", "13;6"]]
)
def test_a_second_block_is_refused(tmp_path, more):
    with pytest.raises(FormatError, match=r"line \d+"):
        read_table(write(tmp_path, "\n".join(HEAD + ROWS + more)))


def test_a_missing_line_shows_in_the_account(tmp_path):
    whole = read_table(write(tmp_path, "\n".join(HEAD + ROWS)))
    less = read_table(write(tmp_path, "\n".join(HEAD + ROWS[:3] + ROWS[4:])))
    assert less.account.counts["data"] == whole.account.counts["data"] - 1 == len(less)


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks(tmp_path):
    text = '"Wavelength, nm","a, 10 us","the ""b""\nfilm"\n"400,5","10,25","1"\n"401,5","11","2"\n'
    table = read_table(write(tmp_path, text))
    assert table.names == ("Wavelength, nm", "a, 10 us", 'the "b" film')
    np.testing.assert_array_equal(numbers(table), [[400.5, 10.25, 1], [401.5, 11, 2]])
    assert table.account.head == (1, 2) and table.account.data == (3, 4)


def test_numbers_in_headers_have_one_reading(tmp_path):
    path = write(tmp_path, "Area (cm2): 0,045\nRate: 0 Hz\nStep = 1.2.3\nx;y\n1,5;2\n2,5;3\n")
    table = read_table(path)
    assert stated(path, table.metadata, "area") == (0.045, "cm2")
    assert stated(path, table.metadata, "nothing") is None
    for pattern in ("^rate", "^step"):
        with pytest.raises(FormatError, match=f"(?i)header, '{pattern[1:]}'"):
            stated(path, table.metadata, pattern, positive=True)


def test_columns_that_only_some_rows_fill(tmp_path):
    text = "V,J,L,remark\n0,1,,\n1,2,,lamp on\n2,3,4,\n"
    table = read_table(write(tmp_path, text), allow_missing=True)
    np.testing.assert_array_equal(table.columns[2].values, [np.nan, np.nan, 4])
    assert list(table.columns[3].values) == ["", "lamp on", ""]
    with pytest.raises(FormatError, match="line 2, column 3"):
        read_table(write(tmp_path, text))

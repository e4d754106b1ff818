"""Damage at the edge of a block, and gaps in a time column, are named by their line."""

from pathlib import Path

import pytest

from peled.formats import FormatError
from peled.formats.nmr import read_ppm_table
from peled.formats.sweeps import read_lifetime, read_radiances
from peled.formats.tcspc import read_histogram

FILES = Path(__file__).parent / "formats"


@pytest.mark.parametrize("damage", ["3x0", "38O", "s80"])
@pytest.mark.parametrize("end", ["first", "last"])
def test_a_damaged_wavelength_at_the_edge_of_a_radiance_is_no_name(tmp_path, damage, end):
    lines = (FILES / "radiance_cs2000.csv").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("380,"))
    if end == "last":
        at, damage = len(lines) - 1, lines[-1].split(",")[0][:2] + "x"
    lines[at] = ",".join([damage, *lines[at].split(",")[1:]])
    path = tmp_path / "radiance.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError, match=f"line {at + 1}"):
        read_radiances(path)


@pytest.mark.parametrize("cell", ["", "nan"])
def test_a_gap_in_the_times_of_a_lifetime_is_named(tmp_path, cell):
    lines = (FILES / "lifetime.csv").read_text().splitlines()
    cells = lines[20].split(",")
    path = tmp_path / "lifetime.csv"
    lines[20] = ",".join([cell, *cells[1:]])
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError, match="line 21"):
        read_lifetime(path)


@pytest.mark.parametrize("text", ["400,13 MHz", "400.13 MHz"])
def test_the_frequency_of_a_table_of_shifts_may_have_a_decimal_comma(tmp_path, text):
    path = tmp_path / "nmr.txt"
    rows = "\n".join(f"{10 - 0.1 * i:.1f}\t{i % 7}.5" for i in range(40))
    path.write_text(f"frequency: {text}\nppm\tintensity\n{rows}\n")
    assert read_ppm_table(path).reference_MHz == 400.13


def test_a_frequency_of_zero_in_a_table_of_shifts_is_refused(tmp_path):
    path = tmp_path / "nmr.txt"
    rows = "\n".join(f"{10 - 0.1 * i:.1f}\t{i % 7}.5" for i in range(40))
    path.write_text(f"frequency: 0 MHz\nppm\tintensity\n{rows}\n")
    with pytest.raises(FormatError, match="frequency"):
        read_ppm_table(path)


@pytest.mark.parametrize(
    ("stamps", "hours"),
    [
        (("23:00:00", "23:30:00", "00:30:00", "01:00:00", "02:00:00"), [0, 0.5, 1.5, 2, 3]),
        (tuple(f"2{k}/05/2026 12:00:00" for k in range(5)), [0, 24, 48, 72, 96]),
        (tuple(f"05/1{k}/2026 12:00:00" for k in (3, 4, 5, 6, 7)), [0, 24, 48, 72, 96]),
        (tuple(f"0{k}/05/2026 12:00:00" for k in range(1, 6)), None),
    ],
)
def test_clocks_of_a_lifetime_pass_midnight_and_dates_are_not_guessed(tmp_path, stamps, hours):
    path = tmp_path / "log.csv"
    rows = "".join(f"{stamp},{100 - k}\n" for k, stamp in enumerate(stamps))
    path.write_text("Time,Luminance (cd/m2)\n" + rows)
    if hours is None:
        with pytest.raises(FormatError, match=r"line 2.*such as 2020-05-17"):
            read_lifetime(path)
    else:
        assert (read_lifetime(path).time_s / 3600).tolist() == hours


def test_a_letter_in_the_first_number_of_a_table_of_channels(tmp_path):
    path = tmp_path / "trpl_horiba.txt"
    path.write_text((FILES / "trpl_horiba.txt").read_text().replace("\n0\t", "\nO\t", 1))
    with pytest.raises(FormatError, match="line 4, column 1: expected a number"):
        read_histogram(path)


def test_a_cell_cut_from_the_first_row_is_not_the_width_of_the_others(tmp_path):
    lines = (FILES / "trpl_metrotrpl.csv").read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ","
    path = tmp_path / "trpl_metrotrpl.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError, match="line 2"):
        read_histogram(path)

"""Text is read in the character set that it is written in, said or not."""

from __future__ import annotations

import warnings
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from inference.charsets import is_known, settle
from inference.domain.charsets import LATIN_1, NOTHING_CONFIGURED, CharacterSets
from tests.support.shared_data import SHARED, needs_shared

FOLDER = SHARED / "badinputs" / "pydicom-charset"


def read(encoded: bytes, charset: str | list[str] | None, *, undefined_length: bool = False) -> Dataset:
    """Give a data set with the same bytes as name, as description and within a sequence, read from a file."""
    data_set, item = Dataset(), Dataset()
    if charset is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set.SpecificCharacterSet = charset
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    data_set.add_new(0x0008103E, "LO", encoded)
    data_set.add_new(0x00100010, "PN", encoded)
    item.add_new(0x00080104, "LO", encoded)
    data_set.ProcedureCodeSequence = DicomSequence([item])
    data_set["ProcedureCodeSequence"].is_undefined_length = undefined_length
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set.save_as(buffer, implicit_vr=False, little_endian=True)
        buffer.seek(0)
        return dcmread(buffer, force=True)


def texts(data_set: Dataset) -> set[str]:
    (item,) = data_set.ProcedureCodeSequence
    return {str(data_set.PatientName), data_set.SeriesDescription, item.CodeMeaning}


@pytest.mark.parametrize("undefined_length", [False, True])
@pytest.mark.parametrize("charset", [None, "ISO_IR 999", "latin1"])
def test_text_of_no_named_character_set_is_read_in_the_default(charset: str | None, undefined_length: bool) -> None:
    """Names, descriptions and items alike, and whoever reads on is told."""
    data_set = read("뇌".encode("euc_kr"), charset, undefined_length=undefined_length)
    settle(data_set, "ISO 2022 IR 149")
    assert texts(data_set) == {"뇌"}
    assert data_set.SpecificCharacterSet == "ISO 2022 IR 149"


def test_korean_without_its_escape_sequence_is_read_as_korean() -> None:
    """Many devices name the code extension and leave the sequence out; the default repertoire has no such bytes."""
    for first in ("", "ISO 2022 IR 6"):
        data_set = read("홍길동".encode("euc_kr"), [first, "ISO 2022 IR 149"])
        settle(data_set, LATIN_1)
        assert texts(data_set) == {"홍길동"}


def test_korean_with_its_escape_sequence_stays_korean() -> None:
    """As the standard has it (PS3.5 annex I)."""
    data_set = read(b"\x1b$)C" + "홍길동".encode("euc_kr"), ["", "ISO 2022 IR 149"])
    settle(data_set, LATIN_1)
    assert texts(data_set) == {"홍길동"}


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("ISO_IR 100", "latin-1", "Müller"),
        ("ISO_IR 144", "iso8859-5", "Щукин"),
        ("ISO_IR 192", "utf-8", "홍길동"),
        ("GB18030", "gb18030", "王小东"),
        ("ISO_IR 13", "shift_jis", "ﾔﾏﾀﾞ"),
    ],
)
def test_a_named_character_set_is_believed(charset: str, encoding: str, text: str) -> None:
    """Whatever the default is."""
    data_set = read(text.encode(encoding), charset)
    settle(data_set, "ISO 2022 IR 149")
    assert texts(data_set) == {text}
    assert data_set.SpecificCharacterSet == charset


def test_terms_are_known_or_not() -> None:
    """Settings are held to this."""
    assert all(map(is_known, ("ISO_IR 100", "ISO 2022 IR 149", "GB18030", "ISO_IR 192")))
    assert not any(map(is_known, ("", "UTF-8", "ISO_IR 999")))


def test_senders_have_their_own() -> None:
    """By AE title, outer blanks do not count."""
    charsets = CharacterSets("GB18030", {"SEOUL": "ISO 2022 IR 149"})
    assert [charsets.of(ae) for ae in ("SEOUL", "SEOUL ", "PARIS", "")] == [
        "ISO 2022 IR 149",
        "ISO 2022 IR 149",
        "GB18030",
        "GB18030",
    ]
    assert NOTHING_CONFIGURED.of("ANY") == LATIN_1


@needs_shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chrArab.dcm", "قباني^لنزار"),
        ("chrFren.dcm", "Buc^Jérôme"),
        ("chrFrenMulti.dcm", "Buc^Jérôme"),
        ("chrGerm.dcm", "Äneas^Rüdiger"),
        ("chrGreek.dcm", "Διονυσιος"),
        ("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("chrHbrw.dcm", "שרון^דבורה"),
        ("chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("chrJapMulti.dcm", "やまだ^たろう"),
        ("chrJapMultiExplicitIR6.dcm", "やまだ^たろう"),
        ("chrKoreanMulti.dcm", "김희중"),
        ("chrRuss.dcm", "Люкceмбypг"),
        ("chrX1.dcm", "Wang^XiaoDong=王^小東"),
        ("chrX2.dcm", "Wang^XiaoDong=王^小东"),
    ],
)
def test_real_names_are_read_as_their_publisher_says(name: str, expected: str) -> None:
    """Every character set that a hospital may meet, code extensions included."""
    data_set = dcmread(FOLDER / name, force=True)
    settle(data_set, LATIN_1)
    assert str(data_set.PatientName) == expected

"""The reviewed lines of identity: what is refused, and where the message points."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.lib import config, overrides
from orchestration.lib.errors import UsageError
from tests.conftest import ROOT

HEADER = "entity,id1,id1_type,action,id2,id2_type,reason\n"
IDENTITY = config.read(ROOT / "dbt_project" / "config" / "identity.yml")


def check(folder: Path, *lines: str, header: str = HEADER) -> None:
    file = folder / "identity_overrides.csv"
    file.write_text(header + "".join(line + "\n" for line in lines), encoding="utf-8")
    overrides.check(file, IDENTITY)


def test_the_shipped_file_is_valid() -> None:
    overrides.check(ROOT / "seeds" / "reference" / "identity_overrides.csv", IDENTITY)


def test_what_a_reviewer_writes_is_accepted(tmp_path: Path) -> None:
    check(
        tmp_path,
        'profile,u1,user_id,INCLUDE,Ada@Example.com,email,"ticket 7, by phone"',
        "profile,u1,user_id,EXCLUDE,u2,user_id,twins",
        "profile,+442079460000,phone,EXCLUDE,,,a call centre",
    )


@pytest.mark.parametrize(
    ("lines", "number", "found"),
    [
        (["person,u1,user_id,INCLUDE,u2,user_id,x"], 2, "entity"),
        (["account,acme,group_id,INCLUDE,acme-ltd,group_id,x"], 2, "entity"),
        (["profile,NULL,user_id,INCLUDE,u2,user_id,x"], 2, "INCLUDE of id1, which is junk"),
        (["profile,u1,user_id,INCLUDE,00-0,anonymous_id,x"], 2, "INCLUDE of id2, which is junk"),
        (["profile,u1,user_id,INCLUDE,ada at example.com,email,x"], 2, "INCLUDE of id2, which is junk"),
        (["profile,u1,user_id,MERGE,u2,user_id,x"], 2, "action 'MERGE'"),
        (["profile,u1,user,INCLUDE,u2,user_id,x"], 2, "id1_type 'user'"),
        (["profile,u1,user_id,INCLUDE,u2,user_id,"], 2, "no reason"),
        (["profile,u1,user_id,INCLUDE,,,x"], 2, "one identifier"),
        (["profile,,user_id,EXCLUDE,,,x"], 2, "id1 is empty"),
        (["profile,u1,user_id,EXCLUDE,,email,x"], 2, "id2 is empty"),
        (["profile,u1,user_id,INCLUDE, u1,user_id,x"], 2, "same identifier"),
        (["profile,020 7946 0000,phone,EXCLUDE,,,x"], 2, "another form"),
        (["profile,u1,user_id,INCLUDE,u2,user_id"], 2, "6 columns"),
        (
            [
                "profile,u1,user_id,INCLUDE,a@b.example,email,x",
                "profile,A@B.example,email,INCLUDE,u2,user_id,x",
                "",
                "profile,u2,user_id,EXCLUDE,u1,user_id,x",
            ],
            5,
            "INCLUDE lines join",
        ),
        (["profile,u1,user_id,EXCLUDE,,,x", "profile,u1,user_id,INCLUDE,u2,user_id,x"], 2, "line 3 includes"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(tmp_path: Path, lines: list[str], number: int, found: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, *lines)
    assert caught.value.where.endswith(f"identity_overrides.csv:{number}")
    assert found in caught.value.found
    assert caught.value.allowed
    assert caught.value.fix
    assert "a@b.example" not in str(caught.value)


def test_a_file_that_excel_saved_is_read(tmp_path: Path) -> None:
    check(tmp_path, "profile,u1,user_id,INCLUDE,u2,user_id,one person\r", header="\ufeff" + HEADER.replace("\n", "\r\n"))


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "identity_overrides.csv"
    file.write_bytes((HEADER + "profile,u1,user_id,EXCLUDE,,,Müller\n").encode("latin-1"))
    with pytest.raises(UsageError, match=r"overrides\.csv:2"):
        overrides.check(file, IDENTITY)


def test_a_wrong_header_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="header"):
        check(tmp_path, header="entity,id1\n")
    with pytest.raises(UsageError, match="missing"):
        overrides.check(tmp_path / "nowhere.csv", IDENTITY)

"""Nothing that a person is shown, and nothing that is kept, holds a password."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dvcview.errors import LONGEST, UserError, first_line, one_line, redacted
from tests.examples import examples

# what somebody says, what may be shown of it
SECRETS = {
    "user and password": ("https://me:sesame@host/x", "https://***@host/x"),
    "a token": ("https://sesame@host:5000", "https://***@host:5000"),
    "no scheme": ("//me:sesame@host", "//***@host"),
    "no user": ("redis://:sesame@host", "redis://***@host"),
    "another kind": ("postgresql+psycopg2://me:sesame@/db", "postgresql+psycopg2://***@/db"),
    "capital letters": ("HTTPS://ME:SESAME@HOST", "HTTPS://***@HOST"),
    "percent signs": ("https://me:ses%40%2Fame@host", "https://***@host"),
    "a slash": ("https://me:ses/ame@host/x", "https://***@host/x"),
    "slashes": ("https://me:s//esame@host/x", "https://***@host/x"),
    "an at sign": ("https://me:ses@me@host/x", "https://***@host/x"),
    "a colon": ("https://me:ses:ame@host/x", "https://***@host/x"),
    "a quote": ("https://me:ses'ame@host/x", "https://***@host/x"),
    "a number and a slash": ("postgresql://me:12/sesame@host", "postgresql://***@host"),
    "several": ("a://me:sesame@x,b://sesame@y c", "a://***@x,b://***@y c"),
    "in quotes": ("'https://me:sesame@host' and more", "'https://***@host' and more"),
    "on two lines": ("https://me:sesame@a\nhttps://me:sesame@b", "https://***@a\nhttps://***@b"),
    "connection string": ("host=a password=sesame port=1", "host=a password=*** port=1"),
    "value in quotes": ("password='sesame, sesame' x", "password='***' x"),
    "value with a quote": (r'password="a\"sesame" x', 'password="***" x'),
    "quote without end": ("password='sesame", "password=***"),
    "query": ("https://host/?user=me&password=sesame", "https://host/?user=me&password=***"),
    "a file of settings": ("secret_access_key = sesame", "secret_access_key = ***"),
    "environment": ("AWS_SECRET_ACCESS_KEY=sesame", "AWS_SECRET_ACCESS_KEY=***"),
    "a word of a command": ("--secret-token=sesame x", "--secret-token=*** x"),
    "JSON": ('{"token": "sesame", "a": 1}', '{"token": "***", "a": 1}'),
}


@pytest.mark.parametrize(("said", "shown"), SECRETS.values(), ids=SECRETS)
def test_a_secret_is_taken_out_and_the_rest_is_kept(said, shown):
    assert redacted(said) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "said",
    [
        "sqlite:////a/update_rules@per_batch.db",
        "file:///a/b@c",
        "http://host:5000/#/experiments/1",
        "https://host/update_rules@per_batch",
        "results/update_rules@per_batch: the password has 5 characters",
        "git@github.com:me/dlvc.git",
        "postgresql://USER:PASSWORD@HOST/NAME (with %40 for @, %2F for /)",
        "max_tokens=5, lenet.epochs=3",
        "a // b @ c",
    ],
)
def test_what_is_no_secret_is_kept(said):
    assert redacted(said) == said


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Z"]), min_size=1)


@examples(1000)
@given(PASSWORDS, st.sampled_from(["https", "s3+x", "postgresql", "X"]), st.booleans())
def test_any_password_in_an_address_is_taken_out(password, scheme, encoded):
    assume("://" not in password)
    password = f"open{quote(password, safe='') if encoded else password}sesame"
    said = f"no answer from {scheme}://me:{password}@host/path, sorry"
    assert redacted(said) == f"no answer from {scheme}://***@host/path, sorry"


@examples(1000)
@given(st.text(st.sampled_from("/:@ ='\"\\\na#?") | st.characters()) | st.sampled_from(
    [said for said, _ in SECRETS.values()]))  # fmt: skip
def test_to_take_secrets_out_twice_changes_nothing_more(text):
    once = redacted(text)
    assert redacted(once) == once


@examples(1000)
@given(st.text(st.characters(exclude_categories=[]), max_size=500))
def test_whatever_somebody_says_is_one_short_line_that_can_be_printed(text):
    for line in (one_line(text), first_line(ValueError(text))):
        assert line.isprintable()
        assert len(line) <= LONGEST


def test_a_secret_is_taken_out_before_a_line_is_cut():
    said = "x" * (LONGEST - 20) + " https://me:" + "sesame" * 10 + "@host"
    assert "sesame" not in one_line(said)


def test_an_error_holds_no_password_however_it_is_shown():
    error = UserError("DLVC_MIRROR: https://me:sesame@host: no answer")
    assert str(error) == "DLVC_MIRROR: https://***@host: no answer"
    assert "sesame" not in repr(error)
    assert "sesame" not in repr(vars(error))

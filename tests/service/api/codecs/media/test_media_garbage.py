"""No plain body makes the service fail, whatever it is."""

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.api.plain_bodies import BMP, FORM, IMAGES, PNG, SMALL, TABLE, form, npy, post
from tests.service.images.test_file_headers import encode, marked, turned

GARBAGE = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def splice(valid: bytes) -> st.SearchStrategy[bytes]:
    """Return damaged copies of ``valid``: some bytes replaced, cut or added."""
    cuts = st.integers(0, len(valid))
    return st.tuples(cuts, cuts, st.binary(max_size=8)).map(
        lambda cut: valid[: min(cut[:2])] + cut[2] + valid[max(cut[:2]) :]
    )


@GARBAGE
@given(
    st.sampled_from(
        [
            ("album", "application/x-npy", npy(IMAGES)),
            ("album", "image/png", PNG),
            ("album", "image/gif", encode(marked("L"), "GIF")),
            ("album", "image/bmp", BMP),
            ("album", "image/jpeg", turned(6)),
            ("album", FORM, form(('name="a"; filename="a.png"', "image/png", SMALL))),
            ("echo", "text/plain", "grün".encode()),
            ("echo", FORM, form(('name="a"', "text/plain; charset=utf-8", b"x"))),
            ("cars", "text/csv", TABLE.encode()),
            ("cars", FORM, form(('name="doors"', "", b"1"), ('name="weight"', "", b"1"))),
        ]
    ).flatmap(lambda case: st.tuples(st.just(case[0]), st.just(case[1]), splice(case[2])))
)
def test_damaged_bodies_never_fail_the_service(
    plain: FlaskClient, case: tuple[str, str, bytes]
) -> None:
    response = post(plain, *case)
    assert response.status_code in (200, 400, 415), response.json


@GARBAGE
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_no_content_type_fails_the_service(plain: FlaskClient, parameters: str) -> None:
    for kind in ("multipart/form-data", "text/plain", "image/png", ""):
        response = post(plain, "album", f"{kind};{parameters}" if kind else parameters, b"--B--")
        assert response.status_code in (200, 400, 415), response.json

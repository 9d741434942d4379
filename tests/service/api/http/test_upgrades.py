"""Who offers to go on in another protocol is answered in this one (RFC 9110, 7.8)."""

import pytest
from flask.testing import FlaskClient

ROW = {"instances": [{"x": [1, 2], "text": "quiet"}]}


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_offer_to_upgrade_is_ignored(client: FlaskClient, protocol: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": protocol}
    assert client.get("/v1/models/affine", headers=headers).status_code == 200
    answer = client.post("/v1/models/affine:predict", json=ROW, headers=headers)
    assert answer.status_code == 200

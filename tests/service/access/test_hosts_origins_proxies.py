"""Names of this host, pages of other origins, and proxies that are believed."""

import pytest
from gunicorn.config import Config

from service.access.cross_origin import CrossOrigin
from service.access.host_names import AllowedHosts
from service.access.trusted_proxies import TrustedProxies, network_of
from service.errors import ServiceError
from service.settings.allowed_texts import is_network


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("models.example.org", True),
        ("MODELS.example.ORG:8501", True),
        ("models.example.org.", True),
        ("a.wide.example", True),
        ("a.b.wide.example:80", True),
        ("wide.example", False),
        ("evilwide.example", False),
        ("127.0.0.1:8501", True),
        ("[::1]:8501", True),
        ("[::2]:8501", False),
        ("[0:0:0:0:0:0:0:1]", True),
        ("[2001:DB8::7]:1", True),
        ("[2001:db8::8]", False),
        ("[::1x]", False),
        ("[]", False),
        ("[::1", False),
        ("evil.example", False),
        ("models.example.org.evil.example", False),
        ("evil.example:models.example.org", False),
        ("", False),
        (None, False),
    ],
)
def test_hosts(host: str | None, is_allowed: bool) -> None:
    hosts = AllowedHosts(
        ["models.example.org", "*.wide.example", "127.0.0.1", "[::1]", "[2001:db8:0::7]"]
    )
    for _ in range(2):
        if is_allowed:
            hosts.check(host)
            continue
        with pytest.raises(ServiceError) as raised:
            hosts.check(host)
        assert raised.value.status == 421


def test_many_hosts_take_no_more_memory() -> None:
    hosts = AllowedHosts(["a.example"])
    for number in range(5000):
        with pytest.raises(ServiceError):
            hosts.check(f"{number}.example")
    assert len(hosts._known) <= 1000


def test_without_a_list_any_host_is_answered() -> None:
    AllowedHosts([]).check("whatever.example")
    AllowedHosts([]).check(None)


def preflight(origin: str) -> dict[str, str]:
    return {
        "REQUEST_METHOD": "OPTIONS",
        "HTTP_ORIGIN": origin,
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST",
    }


def test_pages_of_an_origin_on_the_list_may_read() -> None:
    pages = CrossOrigin(["https://a.example"])
    headers = pages.headers({"HTTP_ORIGIN": "https://a.example"})
    assert headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in headers
    allowed = pages.preflight(preflight("https://a.example"))
    assert allowed is not None
    assert "X-API-Key" in allowed["Access-Control-Allow-Headers"]
    assert allowed["Access-Control-Allow-Methods"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "origin",
    [
        "https://b.example",
        "http://a.example",
        "https://a.example:444",
        "null",
        "",
        "https://a.exam",
    ],
)
def test_pages_of_other_origins_may_not(origin: str) -> None:
    pages = CrossOrigin(["https://a.example"])
    assert pages.headers({"HTTP_ORIGIN": origin}) == {"Vary": "Origin"}
    assert pages.preflight(preflight(origin)) == {}
    # Nor does a cache keep for one what another was told.
    assert pages.headers({}) == {"Vary": "Origin"}


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        ("https://a.example:443", "https://a.example"),
        ("http://A.example:80", "http://a.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://a.example:80", "https://a.example:80"),
        ("http://a.example:8080", "http://a.example:8080"),
    ],
)
def test_an_origin_may_be_listed_with_the_port_that_browsers_leave_out(
    listed: str, sent: str
) -> None:
    assert CrossOrigin([listed]).headers({"HTTP_ORIGIN": sent})["Access-Control-Allow-Origin"] == (
        sent
    )
    assert CrossOrigin([listed]).preflight(preflight(f"{sent}0")) == {}


def test_any_origin_and_none() -> None:
    assert CrossOrigin(["*"]).headers({"HTTP_ORIGIN": "null"})["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in CrossOrigin(["*"]).headers({})
    assert CrossOrigin([]).headers({"HTTP_ORIGIN": "https://a.example"}) == {}
    assert CrossOrigin([]).preflight(preflight("https://a.example")) is None
    assert CrossOrigin(["*"]).preflight({"REQUEST_METHOD": "OPTIONS"}) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Nobody is believed who is not trusted.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # What a client wrote itself stands ahead of what the proxy added.
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, x", "10.0.0.1"),
        # As gateways of some clouds write them.
        ("10.0.0.1", "198.51.100.1:54321", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:54321, 10.0.0.7:443", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::5]:54321", "2001:db8::5"),
        ("10.0.0.1", "[2001:db8::5]", "2001:db8::5"),
        ("10.0.0.1", "[::ffff:198.51.100.1]:1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:54321:1", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:", "10.0.0.1"),
        ("10.0.0.1", "[198.51.100.1", "10.0.0.1"),
        ("10.0.0.1", "[]:1", "10.0.0.1"),
        ("10.0.0.1", ":1", "10.0.0.1"),
        ("10.0.0.1", '6.6.6.6, "\n', "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("", "198.51.100.1", ""),
        ("10.0.0.1", ",".join(["10.0.0.5"] * 5000), "10.0.0.5"),
    ],
)
def test_clients_behind_proxies(peer: str, forwarded: str, client: str) -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "fd00::/8"])
    assert proxies.client({"HTTP_X_FORWARDED_FOR": forwarded}, peer) == client
    assert TrustedProxies([]).client({"HTTP_X_FORWARDED_FOR": forwarded}, peer) == peer


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("fd00::1/64", "fd00::/64"),
        ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1/90", "::ffc0:0:0/90"),
    ],
)
def test_gunicorn_is_given_networks_as_it_takes_them(written: str, network: str) -> None:
    assert is_network(written)
    assert str(network_of(written)) == network
    Config().set("forwarded_allow_ips", network)


@pytest.mark.parametrize("written", ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "10.0.0.1"])
@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_a_proxy_may_be_named_in_either_form(written: str, peer: str) -> None:
    proxies = TrustedProxies([written])
    assert proxies.client({"HTTP_X_FORWARDED_FOR": "198.51.100.1"}, peer) == "198.51.100.1"
    assert proxies.client({"HTTP_X_FORWARDED_FOR": "198.51.100.1"}, "11.0.0.1") == "11.0.0.1"

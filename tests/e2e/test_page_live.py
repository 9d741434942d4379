"""The page's panels of live traffic: corrections, audits, drift and rollouts, by keyboard."""

import contextlib
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from service.events.event_store import EventStore
from service.events.event_store_location import open_database
from tests.e2e.browser import (
    DESK,
    PHONE,
    answered,
    answered_anew,
    at,
    first_answer,
    keep,
    serious_problems,
    settled,
    visit,
)
from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.drifting import publish_sign
from tests.savedmodels.identities import BEYOND_DOUBLES, save_identities
from tests.savedmodels.trial import CLASSES, publish_trial
from tests.waiting import eventually

TOKEN = "open sesame"
KEPT = "100 % of requests are kept with their answers for 30 days."
# A canary that waits for requests and then for somebody.
RULES = {"shadow_batches": 0, "percents": [50], "min_requests": 1_000_000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def service(start_service: StartService, folder: Path) -> Service:
    models = folder / "models"
    publish_sign(models)
    publish_affine(models)
    publish_trial(models, work=1)
    # Of this model next to no request is stored.
    policy = {"serve": {"versions": [1]}, "events": {"rate": 1e-9}}
    (models / "trial" / "policy.json").write_text(json.dumps(policy))
    publish_trial(models, "equal", work=1)
    save_identities(models / "keys" / str(BEYOND_DOUBLES))
    return start_service(
        models,
        UNDERSTUDY_QUIET_S="0",
        UNDERSTUDY_ADMIN_TOKEN=TOKEN,
        UNDERSTUDY_EVENTS=str(folder / "events.db"),
        UNDERSTUDY_EVENTS_RATE="1",
    )


@pytest.fixture
def wait_until_stored(folder: Path) -> Any:
    """Return a function that waits until a request is in the store."""

    def wait(request_id: str) -> None:
        query = "SELECT 1 FROM understudy_events WHERE request_id = ?"
        with closing(sqlite3.connect(folder / "events.db")) as reader:
            eventually(lambda: reader.execute(query, [request_id]).fetchone())

    return wait


def check_on_all_screens(page: Any, name: str) -> None:
    """Axe finds nothing serious, and nothing is wider than the screen."""
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        assert serious_problems(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        keep(page, f"{name}-{size['width']}", full_page=True)


def feedback(page: Any, action: Any) -> dict[str, Any]:
    """Do something, and return what the feedback that it sends is answered."""
    with page.expect_response(lambda response: response.url.endswith(":feedback")) as caught:
        action()
    answer: dict[str, Any] = caught.value.json()
    return answer


def given(service: Service, **labels: str) -> float:
    """Return how much feedback with these labels the service has counted."""
    lines = re.findall(
        r"^understudy_feedback_total\{(.*)\} (\S+)$", service.get("/metrics").text, re.MULTILINE
    )
    wanted = {f'{name}="{value}"' for name, value in labels.items()}
    return sum(float(count) for found, count in lines if wanted <= set(found.split(",")))


def test_an_answer_is_corrected(browser: Any, service: Service, wait_until_stored: Any) -> None:
    with visit(browser, at(service, "sign"), viewport=PHONE) as page:
        settled(page)
        told = answered_anew(page)
        (prediction,) = told["answered"]["predictions"]
        page.get_by_text(KEPT).wait_for()
        page.get_by_text("Wrong? Correct it").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        form = page.locator("form")
        # What was answered is where to begin.
        assert form.get_by_role("radio", name=prediction["label"]).is_checked()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Send the truth"
        check_on_all_screens(page, "correction")
        wait_until_stored(told["id"])
        assert feedback(page, lambda: page.keyboard.press("Enter"))["stored"] == 1
        page.get_by_role("region", name="Answer").get_by_text("Thank you").wait_for()
    assert given(service, model="sign", source="user", result="stored") == 1


def test_what_cannot_be_true_is_refused_in_the_services_words(
    browser: Any, service: Service, wait_until_stored: Any
) -> None:
    with visit(browser, at(service, "affine")) as page:
        settled(page)
        wait_until_stored(answered_anew(page)["id"])
        page.get_by_text("Wrong? Correct it").click()
        form = page.locator("form")
        box = form.get_by_role("textbox", name="y")
        assert float(box.input_value()) == 5
        box.fill("many")
        answer = feedback(page, lambda: box.press("Enter"))
        form.get_by_text(answer["details"]["feedback[0].truth"][0]).wait_for()
        assert box.get_attribute("aria-invalid") == "true"
        box.fill("6.5")
        assert feedback(page, lambda: box.press("Enter"))["stored"] == 1


def test_a_correction_in_work_outlives_the_service(browser: Any, service: Service) -> None:
    """What failed meanwhile is asked again: test_page_strangers.py."""
    with visit(browser, at(service, "affine"), may_fail=True) as page:
        settled(page)
        page.get_by_text("Wrong? Correct it").click()
        box = page.locator("form").get_by_role("textbox", name="y")
        box.fill("6.25")
        page.route("**/ui/overview", lambda route: route.abort())
        page.get_by_text("The service cannot be reached").wait_for()
        page.unroute("**/ui/overview")
        page.wait_for_function("() => !document.getElementById('connection').textContent")
        # Whatever it asked then would be answered by now.
        page.wait_for_event("response", lambda each: each.url.endswith("/ui/overview"))
        assert box.input_value() == "6.25"
        assert page.evaluate("document.activeElement.value") == "6.25"


def test_whole_numbers_beyond_doubles_stay_as_they_are(
    browser: Any, service: Service, folder: Path, wait_until_stored: Any
) -> None:
    with visit(browser, at(service, "keys")) as page:
        answer = first_answer(page)
        box = page.get_by_role("textbox", name="key", exact=True)
        told = answered(page, lambda: box.fill(str(BEYOND_DOUBLES)))
        assert told["asked"] == {"instances": [{"key": BEYOND_DOUBLES}]}
        for number in (BEYOND_DOUBLES, BEYOND_DOUBLES + 1):
            answer.get_by_text(f"{number:,}", exact=True).wait_for()
        page.get_by_text("This request as code").click()
        page.get_by_label("curl", exact=True).get_by_text(str(BEYOND_DOUBLES)).wait_for()
        page.locator("#tab-why").click()
        page.get_by_role("button", name="Explain").click()
        page.locator("[data-explained]").get_by_text("What moves next").wait_for()
        page.locator("#tab-try").click()
        settled(page)
        # What has no rows answers with one list, and that is what is true or not.
        answered(page, page.get_by_role("radio", name="first").check)
        box = page.get_by_role("textbox", name="keys")
        told = answered(page, lambda: box.fill(f"{BEYOND_DOUBLES}, 1"))
        assert told["asked"]["inputs"] == {"keys": [BEYOND_DOUBLES, 1]}
        answer.get_by_text(told["id"]).wait_for()
        answer.get_by_text(f"[{BEYOND_DOUBLES},1]", exact=True).wait_for()
        page.get_by_text("Wrong? Correct it").click()
        truth = page.locator("form").get_by_role("textbox", name="first")
        assert truth.input_value() == f"[{BEYOND_DOUBLES}]"
        wait_until_stored(told["id"])
        truth.fill(f"[{BEYOND_DOUBLES + 1}]")
        send = page.get_by_role("button", name="Send the truth")
        assert feedback(page, lambda: send.press("Enter"))["stored"] == 1
        page.locator("#tab-versions").click()
        page.get_by_label("Admin token").fill(TOKEN)
        page.keyboard.press("Enter")
        page.get_by_role("button", name=f"Pin version {BEYOND_DOUBLES}").press("Enter")
        page.get_by_text("pinned", exact=True).first.wait_for()
    policy = json.loads((folder / "models" / "keys" / "policy.json").read_text())
    assert policy["serve"] == {"versions": [BEYOND_DOUBLES]}
    database = open_database(str(folder / "events.db"))
    found = {
        event.request_id: (event, truths) for event, truths in EventStore(database).events("keys")
    }
    database.close()
    event, (given_truth,) = found[told["id"]]
    assert given_truth.values == {"first": [BEYOND_DOUBLES + 1]}
    assert event.row_of_outputs(0) == {"first": [BEYOND_DOUBLES], "whole": [BEYOND_DOUBLES, 1]}


def test_the_api_shows_whole_numbers_beyond_doubles(browser: Any, service: Service) -> None:
    with visit(browser, f"{service.url}/docs") as page:
        page.get_by_text("/v1/models/keys:predict", exact=True).click()
        form = page.get_by_role("form", name="Try POST /v1/models/keys:predict")
        form.get_by_label("Body").fill(json.dumps({"instances": [BEYOND_DOUBLES]}))
        form.get_by_role("button", name="Send").press("Enter")
        form.get_by_text(f'"same": {BEYOND_DOUBLES}').wait_for()


def test_the_api_says_why_it_cannot_be_shown(browser: Any, service: Service) -> None:
    refused = {"error": "The worker is stopping.", "code": "UNAVAILABLE"}
    with visit(browser, f"{service.url}/docs", may_fail=True) as page:
        page.locator("#operations details").first.wait_for()
        page.route("**/openapi.json", lambda route: route.fulfill(status=503, json=refused))
        page.reload()
        page.get_by_text("The document could not be read: The worker is stopping.").wait_for()


def test_what_is_not_stored_cannot_be_corrected(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "trial")) as page:
        settled(page)
        page.get_by_text("Wrong? Correct it").click()
        form = page.locator("form")
        button = form.get_by_role("button", name="Send the truth")
        answer = feedback(page, lambda: button.press("Enter"))
        assert "it was not sampled" in answer["error"]
        form.get_by_text(answer["error"]).wait_for()


def test_audits_are_labelled_one_after_the_other(
    browser: Any, service: Service, wait_until_stored: Any
) -> None:
    for number, x in enumerate((-1.5, 2.5)):
        headers = {"X-Request-Id": f"audited-{number}"}
        body = {"instances": [{"x": x}]}
        assert service.post("/v1/models/sign:predict", body, headers=headers).ok
        wait_until_stored(f"audited-{number}")
    with visit(browser, at(service, "sign", "audits"), viewport=PHONE) as page:
        page.get_by_role("button", name="Show me a row").press("Enter")
        panel = page.get_by_role("region", name="Audits")
        radios = panel.get_by_role("radio")
        radios.first.wait_for()
        # Neither the answer nor anything else is chosen, and nothing tells it.
        assert panel.get_by_role("radio", checked=True).count() == 0
        assert panel.locator(".pairs dt").all_inner_texts() == ["x"]
        check_on_all_screens(page, "audit")
        send = panel.get_by_role("button", name="Send the truth")
        answer = feedback(page, lambda: send.press("Enter"))
        panel.get_by_text(answer["details"]["feedback[0].truth"][0]).wait_for()
        assert page.evaluate("document.activeElement.textContent") == "Send the truth"
        radios.first.focus()
        page.keyboard.press("Space")
        assert feedback(page, lambda: send.press("Enter"))["stored"] == 1
        panel.get_by_text("1 labelled").wait_for()
        # Whoever labels by keyboard goes on at the next row.
        assert page.evaluate("document.activeElement.type") == "radio"
        panel.get_by_role("button", name="Skip").press("Enter")
        panel.get_by_text("1 labelled").wait_for()
    assert given(service, model="sign", source="audit", result="stored") == 1


def test_audits_go_on_after_an_error(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "sign", "audits"), may_fail=True) as page:
        page.route("**/audits?*", lambda route: route.abort())
        page.get_by_role("button", name="Show me a row").press("Enter")
        page.get_by_text("The service cannot be reached.").wait_for()
        page.unroute("**/audits?*")
        # The button has the focus.
        page.keyboard.press("Enter")
        page.get_by_role("button", name=re.compile("Skip|Look again")).wait_for()


def drifted(route: Any) -> None:
    """Answer as the service does, but with an alarm in the first field."""
    found = route.fetch().json()
    first, *others = found["fields"]
    alarm = {"evidence": 2_500_000.0, "psi": 0.41, "psi_by_chance": 0.1, "recent_rows": 400.0}
    live = {"value": 0.91, "low": 0.88, "high": 0.94, "rows": 400}
    route.fulfill(
        json={
            **found,
            "state": "drift",
            "fields": [{**first, **alarm, "sentence": "It is larger."}, *others],
            "expected_accuracy": {**found["expected_accuracy"], "live": live},
        }
    )


def test_drift_is_told_in_the_services_words(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "sign", "drift"), viewport=PHONE) as page:
        report = service.get("/v1/models/sign/drift").json()
        page.get_by_text(report["sentence"]).wait_for()
        # As the audits that were labelled show it.
        page.get_by_text(report["quality"]["sentence"]).wait_for()
        fields = page.get_by_role("region", name="Fields").locator("details")
        assert fields.count() == len(report["fields"])
        assert page.get_by_text("alarm", exact=True).count() == 0
        page.route("**/drift", drifted)
        # It comes by itself.
        fields.first.get_by_text("alarm", exact=True).wait_for()
        assert fields.first.get_attribute("open") is not None
        assert "Evidence 2,500,000; PSI 0.41 in the last 400 rows" in fields.first.inner_text()
        assert "blind to changed meanings" in page.locator("main").inner_text()
        page.get_by_text(report["expected_accuracy"]["blind_to"]).wait_for()
        page.get_by_text("91.0 % of 400 live answers are (0.880 to 0.940)").wait_for()
        second = fields.nth(1)
        second.locator("summary").press("Enter")
        rows = second.get_by_role("region").locator("tbody tr")
        assert rows.count() == len(report["fields"][1]["bins"])
        check_on_all_screens(page, "drift")


def test_what_somebody_does_on_versions_outlives_a_swap(browser: Any, service: Service) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    policy = f"{service.url}/v1/models/trial/policy"
    with visit(browser, at(service, "trial", "versions")) as page:
        box = page.get_by_label("Admin token")
        box.fill("half")
        box.focus()
        for version in (2, 1):
            put = requests.put(policy, json={"serve": {"versions": [version]}}, headers=headers)
            assert put.ok
            page.get_by_text(f"Version {version} serves now").first.wait_for()
        assert box.input_value() == "half"
        # What no header can hold is not sent.
        box.fill("sesame → open")
        box.press("Enter")
        assert not box.evaluate("box => box.validity.valid")
        assert page.get_by_text("cannot be reached").count() == 0
        box.fill(TOKEN)
        box.press("Enter")
        page.get_by_label("Version to try out").fill("12")
        page.get_by_role("button", name="Pin version 2").press("Enter")
        page.get_by_text("Version 2 serves now").first.wait_for()
        page.get_by_text("Version 2 is pinned.").wait_for()
        assert page.get_by_label("Version to try out").input_value() == "12"
        assert page.evaluate("document.activeElement.textContent") == "Pin version 2"
        page.get_by_role("button", name="Forget the token").press("Enter")
        assert box.input_value() == ""
        assert page.evaluate("document.activeElement.type") == "password"
        assert requests.put(policy, json={"serve": {"versions": [1]}}, headers=headers).ok
        page.get_by_text("Version 1 serves now").first.wait_for()


def test_a_model_is_unloaded_and_loaded_again(browser: Any, service: Service) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with contextlib.ExitStack() as stack:
        pages = {
            tab: stack.enter_context(visit(browser, at(service, "affine", tab)))
            for tab in ("try", "compare", "versions", "drift", "audits")
        }
        for page in pages.values():
            page.get_by_role("tabpanel").wait_for()
        for what in ("unload", "load"):
            assert service.post(f"/v2/repository/models/affine/{what}", {}, headers=headers).ok
            for page in pages.values():
                page.get_by_text("Nothing of it serves now.").wait_for(
                    state="attached" if what == "unload" else "detached"
                )
            # Nothing that a tab asks or draws then takes the place of it.
            page.wait_for_timeout(2500)
            panels = {tab: page.get_by_role("tabpanel").count() for tab, page in pages.items()}
            assert panels == dict.fromkeys(pages, int(what == "load"))


def test_what_serves_nothing_is_pinned_by_keyboard(browser: Any, service: Service) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert service.post("/v2/repository/models/affine/unload", {}, headers=headers).ok
    with visit(browser, at(service, "affine"), viewport=PHONE) as page:
        page.get_by_text("Nothing of it serves now.").wait_for()
        page.get_by_text("The policy keeps the model unloaded.").wait_for()
        page.get_by_label("Admin token").fill(TOKEN)
        page.keyboard.press("Enter")
        check_on_all_screens(page, "nothing-serves")
        # Why there is no way back is said in the service's words.
        page.get_by_role("button", name="Roll back").press("Enter")
        page.get_by_text("There is no earlier version to go back to").wait_for()
        page.get_by_label("Version to pin").fill("1")
        page.keyboard.press("Enter")
        page.get_by_text("Version 1 serves now.").wait_for()
        page.get_by_role("tab", name="Versions", selected=True).wait_for()
        assert page.evaluate("document.activeElement.id") == "tab-versions"
        page.get_by_role("button", name="Unpin").press("Enter")
        page.get_by_text("New versions are taken over by themselves.").wait_for()


def ask_until(service: Service, told: Any) -> None:
    """Ask until the page tells of it: a worker may take a step later than the panel shows it."""

    def is_told() -> bool:
        for _ in range(5):
            assert service.post("/v1/models/trial:predict", {"instances": [[0.1] * CLASSES]}).ok
        return bool(told.count())

    eventually(is_told)


def test_a_rollout_is_begun_watched_aborted_and_promoted(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "trial", "versions"), viewport=PHONE) as page:
        panel = page.get_by_role("region", name="Rollout")
        panel.get_by_text("There was no rollout.").wait_for()
        acting = page.get_by_role("button", name=re.compile("Try|Abort|Promote|Pin|Roll"))
        assert acting.count() == 0
        page.get_by_label("Admin token").fill(TOKEN)
        page.keyboard.press("Enter")
        box = page.get_by_label("Version to try out")
        box.fill("9")
        box.press("Enter")
        page.get_by_text("There is no version 9 of model 'trial'.").wait_for()
        box.fill("2")
        box.press("Enter")
        panel.get_by_text(
            "Version 2 answers some of them again, and its answers are only compared."
        ).wait_for()
        page.get_by_text("version 2 on trial: shadow").wait_for()
        panel.get_by_text("It has answered 0 of 200 batches.").wait_for()
        ask_until(service, panel.get_by_text(re.compile(r"It answered [1-9]\d* batches again")))
        page.get_by_role("button", name="Abort the rollout").press("Enter")
        panel.get_by_text("The trial of version 2 was ended by hand.").wait_for()
        assert "The policy was changed while it was under way." in panel.inner_text()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = {"candidate": 2, "rules": RULES}
        assert service.post("/v1/models/trial:rollout", body, headers=headers).ok
        panel.get_by_text("Version 2 answers 50 % of the requests").wait_for()
        ask_until(service, panel.get_by_text(re.compile(r"Version 2 answered [1-9]\d* requests")))
        panel.get_by_text("The evidence of harm is").wait_for()
        check_on_all_screens(page, "rollout")
        page.get_by_role("button", name="Promote version 2 now").press("Enter")
        page.get_by_text("Version 2 serves now; it was version 1.").first.wait_for()
        panel.get_by_text("1 earlier").wait_for()

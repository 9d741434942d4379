"""The page beside the service: what it watches, what it may do, and who can use it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import (
    DESK,
    PHONE,
    answered,
    at,
    copy_models,
    keep,
    serious_problems,
    settled,
    visit,
)
from tests.e2e.conftest import Service, StartService

TOKEN = "open sesame"
TABS = ("try", "compare", "why", "table", "card", "versions", "drift")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_models(tmp_path_factory.mktemp("page") / "models")


@pytest.fixture(scope="module")
def service(start_service: StartService, models: Path) -> Service:
    return start_service(models, UNDERSTUDY_ADMIN_TOKEN=TOKEN)


def test_models_are_listed_with_what_they_are_worth(browser: Any, service: Service) -> None:
    with visit(browser, service.url) as page:
        page.wait_for_selector("[data-model]")
        names = page.locator("[data-model]").evaluate_all("all => all.map(e => e.dataset.model)")
        assert names == ["clothing", "mpg", "sentiment"]
        clothing = page.locator("[data-model=clothing]")
        assert "0.944 test accuracy (0.939 to 0.948)" in clothing.inner_text()
        # The label stands for a version that another worker may be loading still.
        page.wait_for_selector("[data-model=clothing]:has-text('stable')")
        for _ in range(20):
            assert service.post("/v1/models/clothing:predict", {"instances": [[[0] * 28] * 28]}).ok
        page.wait_for_function(
            "() => / ms/.test(document.querySelector('[data-model=clothing] .figures').textContent)"
        )
        keep(page, "models")
        clothing.get_by_role("link").click()
        page.wait_for_url("**/models/clothing")
        settled(page)
        page.go_back()
        page.wait_for_selector("[data-model]")


def test_a_swap_is_noticed_without_reloading(browser: Any, service: Service, models: Path) -> None:
    with visit(browser, service.url) as listed, visit(browser, at(service, "mpg")) as page:
        listed.locator("[data-model=mpg] [data-live='2']").wait_for()
        settled(page)
        answered(page, lambda: page.get_by_role("textbox", name="weight").fill("2345"))
        page.evaluate("window.isStillTheSame = true")
        shutil.copytree(models / "mpg" / "2", models / "mpg" / ".incoming")
        (models / "mpg" / ".incoming").rename(models / "mpg" / "3")
        page.get_by_text("Version 3 serves now; it was version 2.").first.wait_for(timeout=60_000)
        listed.locator("[data-model=mpg] [data-live='3']").wait_for()
        settled(page)
        page.get_by_text("version 3").last.wait_for()
        assert page.evaluate("window.isStillTheSame")
        assert page.get_by_role("textbox", name="weight").input_value() == "2345"


def test_a_version_that_is_refused_says_why(browser: Any, service: Service, models: Path) -> None:
    with visit(browser, service.url) as page:
        page.locator("[data-model=sentiment] [data-live='2']").wait_for()
        shutil.copytree(models / "sentiment" / "2", models / "sentiment" / ".incoming")
        (models / "sentiment" / ".incoming" / "saved_model.pb").write_bytes(b"broken")
        (models / "sentiment" / ".incoming").rename(models / "sentiment" / "3")
        refused = page.locator("[data-model=sentiment] .versions li")
        refused.filter(has_text="Version 3 failed").wait_for(timeout=60_000)
        (status, _) = service.get("/v1/models/sentiment").json()["model_version_status"]
        assert status["status"]["error_message"] in refused.inner_text()
        assert page.locator("[data-model=sentiment] [data-live='2']").count() == 1
        keep(page, "models-refused")


def test_nothing_acts_without_the_token(browser: Any, service: Service, models: Path) -> None:
    with visit(browser, at(service, "clothing", "versions")) as page:
        box = page.get_by_label("Admin token")
        box.wait_for()
        assert page.get_by_role("button", name=re.compile("Pin|Roll back")).count() == 0
        box.fill("wrong")
        box.press("Enter")
        page.get_by_text("Expected the admin token").wait_for()
        assert page.get_by_role("button", name=re.compile("Pin|Roll back")).count() == 0
        box.fill(TOKEN)
        box.press("Enter")
        page.get_by_role("button", name="Pin version 2").click()
        page.get_by_text("pinned", exact=True).first.wait_for()
        policy = json.loads((models / "clothing" / "policy.json").read_text())
        assert policy["serve"] == {"versions": [2]}
        page.get_by_role("button", name=re.compile("Unpin")).click()
        page.get_by_text("New versions are taken over").wait_for()
        # It would take the place of what the next test looks at.
        page.get_by_text("Version 3 serves now").first.wait_for()
        (models / "clothing" / "policy.json").write_text('{"serve": {"latest": 2}}')


@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk"]
)
def test_everybody_can_use_it(
    browser: Any, service: Service, size: dict[str, int], scheme: str
) -> None:
    """Axe finds nothing serious on any tab, and nothing is wider than the screen."""
    options = {"viewport": size, "color_scheme": scheme}
    with visit(browser, service.url, **options) as page:
        page.wait_for_selector("[data-model]")
        check_screen(page, size, f"models-{scheme}-{size['width']}")
        for model in ("clothing", "mpg", "sentiment"):
            page.goto(at(service, model))
            settled(page)
            for tab in TABS if model != "sentiment" else ("try", "why"):
                page.locator(f"#tab-{tab}").click()
                if tab == "why":
                    page.get_by_role("button", name="Explain this answer").click()
                    page.wait_for_selector("[data-explained]")
                check_screen(page, size, f"{model}-{tab}-{scheme}-{size['width']}")
        page.goto(f"{service.url}/docs")
        page.wait_for_selector("main details")
        check_screen(page, size, f"docs-{scheme}-{size['width']}")


def check_screen(page: Any, size: dict[str, int], name: str) -> None:
    page.wait_for_function("() => !document.querySelector('.stale')")
    assert serious_problems(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
    keep(page, name)


def test_tabs_by_keyboard(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "mpg")) as page:
        settled(page)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        # Where predictions are not stored there is nothing to correct or to label.
        assert page.get_by_text("Wrong? Correct it").count() == 0
        assert page.locator("#tab-audits").count() == 0
        page.locator("#tab-try").focus()
        for tab in (*TABS[1:], TABS[0]):
            page.keyboard.press("ArrowRight")
            assert page.evaluate("document.activeElement.id") == f"tab-{tab}"
            assert page.get_by_role("tab", selected=True).get_attribute("id") == f"tab-{tab}"


def test_who_skips_to_the_content_keeps_what_is_there(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "sentiment", "why")) as page:
        box = page.get_by_role("textbox")
        box.fill("typed")
        page.locator(".skip").press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        assert box.input_value() == "typed"
        assert page.get_by_role("tab", selected=True).get_attribute("id") == "tab-why"
        assert page.url == at(service, "sentiment", "why")


def test_it_polls_cheaply_and_says_when_nothing_answers(browser: Any, service: Service) -> None:
    with visit(browser, service.url, may_fail=True) as page:
        page.wait_for_selector("[data-model]")
        page.wait_for_event("response", lambda response: response.status == 304)
        page.context.route("**/ui/overview", lambda route: route.abort())
        page.get_by_text("The service cannot be reached").wait_for()
        page.context.unroute("**/ui/overview")
        page.wait_for_function("() => !document.getElementById('connection').textContent")


def test_a_model_that_is_not_there(browser: Any, service: Service) -> None:
    with visit(browser, f"{service.url}/models/nobody") as page:
        page.get_by_text("There is no model nobody.").wait_for()


def test_a_table_of_answers_outlives_a_swap_and_other_tabs(
    browser: Any, service: Service, models: Path, tmp_path: Path
) -> None:
    """They may have taken minutes. Last in this module: the model has another version then."""
    (tmp_path / "texts.csv").write_text("text\nwonderful\n")
    with visit(browser, at(service, "sentiment", "table")) as page:
        page.get_by_label("Choose a CSV file").set_input_files(tmp_path / "texts.csv")
        page.get_by_text("1 of 1 answered.").first.wait_for()
        live = page.locator("[data-live]").get_attribute("data-live")
        other = 1 + max(int(each.name) for each in models.glob("sentiment/[0-9]*"))
        shutil.copytree(models / "sentiment" / live, models / "sentiment" / ".incoming")
        (models / "sentiment" / ".incoming").rename(models / "sentiment" / str(other))
        page.get_by_text(f"Version {other} serves now; it was").first.wait_for(timeout=60_000)
        page.locator("#tab-card").click()
        page.locator("#tab-table").click()
        rows = page.get_by_role("region", name="Answers").locator("tbody tr")
        assert rows.all_inner_texts()[0].startswith("line 2\twonderful\tpositive")
        page.get_by_role("button", name="Download").wait_for()
        assert page.get_by_text("1 of 1 answered.").count() == 1

"""The page with models that nobody made for it, and with a service that comes and goes."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.repository.model_card import read_card, write_card
from service.repository.model_store import Store
from tests.e2e.browser import (
    PHONE,
    answered,
    at,
    first_answer,
    keep,
    serious_problems,
    settled,
    visit,
)
from tests.e2e.code_samples import check_samples
from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import fill_affine
from tests.savedmodels.classes import publish_kinds, publish_scores
from tests.savedmodels.dtypes import publish_types
from tests.savedmodels.graphs import save_graph
from tests.savedmodels.page_extremes import (
    CLASSES,
    FIELDS,
    MARKUP,
    publish_crowd,
    save_deep,
    save_pieces,
)
from tests.savedmodels.shapes import save_shapes
from tests.savedmodels.unusual_signatures import odd_signatures
from training.evaluation.calibration import Bin
from training.publishing.gates import GateReport, GateResult

CROWD = "crowd-of_1.0"
BINS = [Bin(low, low + 0.25, 40, low + 0.2, low + 0.15) for low in (0.25, 0.5, 0.75)]
AVAILABLE = {"version": "1", "state": "available", "reason": ""}
SECOND = {**AVAILABLE, "version": "2"}
ARRAY = list(range(1, 14))
# Of a square that is white in the middle; of a file that is no picture.
DROP = """async (place, isPicture) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 8;
    canvas.getContext("2d").fillStyle = "#fff";
    canvas.getContext("2d").fillRect(2, 2, 4, 4);
    const dataTransfer = new DataTransfer();
    const blob = isPicture ? await new Promise((done) => canvas.toBlob(done)) : new Blob(["text"]);
    dataTransfer.items.add(new File([blob], isPicture ? "square.png" : "notes.pdf"));
    place.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer }));
}"""


def fill_measured(directory: Path) -> None:
    """Write a version whose card has all that a trainer measures of a classifier."""
    fill_affine(directory)
    card = read_card(directory)
    assert card is not None
    passed = GateResult(gate="worth_it", passed=True, sentence="better by 3 points")
    evaluation = {"reliability": [asdict(each) for each in BINS]}
    training = {"gates": GateReport((passed,), live=None).to_json()}
    write_card(directory, replace(card, evaluation=evaluation, training=training))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("foreign")
    Store(root).publish("measured", fill_measured)
    publish_kinds(root)
    publish_types(root)
    publish_scores(root)
    publish_crowd(root)
    save_shapes(root / "shapes" / "1")
    save_deep(root / "deep" / "1")
    save_pieces(root / "pieces" / "1")
    save_graph(root / "odd" / "1", odd_signatures)
    return root


@pytest.fixture(scope="module")
def service(start_service: StartService, models: Path) -> Service:
    return start_service(models, UNDERSTUDY_QUIET_S="0")


def overview_of(*models: dict[str, Any]) -> Any:
    """Return a handler that answers for the overview with other models."""

    def answer(route: Any) -> None:
        found = route.fetch(headers={**route.request.headers, "if-none-match": ""}).json()
        full = [{**found["models"][0], **model} for model in models]
        route.fulfill(json={**found, "models": full})

    return answer


@pytest.mark.parametrize("name", ["deep", "kinds", "measured", "odd", "scores", "shapes", "types"])
def test_any_contract_gets_inputs(browser: Any, service: Service, name: str) -> None:
    """Of every dtype and shape, with a card and without: what is offered is answered, or refused in the service's words."""
    with visit(browser, at(service, name)) as page:
        signatures = page.get_by_role("radiogroup", name="Signature").get_by_role("radio")
        answer = first_answer(page)
        for i in range(1, signatures.count()):
            told = answered(page, signatures.nth(i).check)
            if "error" in told["answered"]:  # As of a picture's file that is still empty.
                answer.get_by_text(told["answered"]["error"].removesuffix(".")).wait_for()
            else:
                answer.get_by_text(told["id"]).wait_for()
        keep(page, f"foreign-{name}", full_page=True)


def test_a_card_with_gates_and_a_reliability_diagram(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "measured", "card"), color_scheme="dark") as page:
        section = page.locator("section", has=page.get_by_role("heading", name="Reliability"))
        section.get_by_role("img").wait_for()
        assert section.locator("circle").count() == len(BINS)
        rows = section.get_by_role("region", name="Bins").locator("tbody tr").all_inner_texts()
        assert [row.split("\t") for row in rows] == [
            [f"{100 * each.confidence:.1f} %", f"{100 * each.accuracy:.1f} %", str(each.count)]
            for each in BINS
        ]
        section = page.locator("section", has=page.get_by_role("heading", name="Gates"))
        assert section.locator("dt").all_inner_texts() == ["worth it"]
        assert section.locator("dd").all_inner_texts() == ["passed: better by 3 points"]
        assert serious_problems(page) == []
        keep(page, "card-measured", full_page=True)


def test_thirty_fields_a_thousand_classes_and_markup_for_names(
    browser: Any, service: Service
) -> None:
    with visit(browser, at(service, CROWD), viewport=PHONE) as page:
        settled(page)
        told = answered(page, lambda: page.get_by_role("textbox", name="field 29").fill("7"))
        assert told["asked"]["instances"] == [dict.fromkeys(FIELDS, 20) | {"field_29": 7}]
        settled(page)
        assert page.locator(".verdict").inner_text().startswith(CLASSES[29 * 20 + 7])
        page.get_by_text("and 988 less probable").wait_for()
        for tab in ("card", "why", "table", "versions"):
            page.locator(f"#tab-{tab}").click()
            if tab == "why":
                page.get_by_role("button", name="Explain").click()
                page.wait_for_selector("[data-explained]")
                assert page.locator(".curves figure").count() == len(FIELDS)
                # Another version that is loaded can be chosen, and takes nothing away.
                page.route("**/ui/overview", overview_of({"versions": [AVAILABLE, SECOND]}))
                page.get_by_label("Version").wait_for()
                assert page.locator("[data-explained]").count() == 1
                page.unroute("**/ui/overview")
                page.get_by_label("Version").wait_for(state="hidden")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], tab
            keep(page, f"crowd-{tab}")
        assert page.locator("h1").inner_text().startswith(MARKUP)
        page.get_by_role("link", name="All models").click()
        page.locator(f"[data-model='{CROWD}'] [data-live='1']").wait_for()
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_array_is_json_or_numbers_with_commas(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "deep")) as page:
        first_answer(page)
        box = page.get_by_role("textbox", name="x")
        told = answered(page, lambda: box.fill("1;2\n3\t4"))
        assert told["asked"]["instances"] == [{"x": [1, 2, 3, 4]}]
        words = "Expected a list of 13 values, not a list of 4 values."
        page.locator("[data-field=x]").get_by_text(words).wait_for()
        for text in (json.dumps(ARRAY), ",".join(map(str, ARRAY))):
            told = answered(page, lambda text=text: box.fill(text))
            assert told["asked"]["instances"] == [{"x": ARRAY}]
        # An output that is a picture is shown as one; other arrays are written.
        page.get_by_role("img", name="picture, as a picture").wait_for()
        page.get_by_text("[2,4,6,8,10,12,14,16,18,20,22,24,26]").wait_for()
        page.locator("#tab-why").click()
        page.get_by_role("button", name="Explain").click()
        page.get_by_text("x[12]").wait_for()
        assert page.locator(".curves figure").count() == len(ARRAY)


def test_rows_that_depend_on_each_other_are_asked_one_at_a_time(
    browser: Any, service: Service
) -> None:
    with visit(browser, at(service, "deep")) as page:
        first_answer(page)
        told = answered(page, page.get_by_role("radio", name="running").check)
        assert told["answered"]["predictions"] == [0]
        asked = []

        def note(request: Any) -> None:
            asked.append(request.post_data_json)

        page.on("request", note)
        page.get_by_role("textbox", name="x").fill("4")
        page.locator("#tab-why").click()
        page.get_by_role("button", name="Explain").click()
        page.locator("[data-explained]").get_by_text("(4)").wait_for()
        page.remove_listener("request", note)
        rows = [each["instances"] for each in asked if each]
        assert len(rows) > 20
        assert {len(each) for each in rows} == {1}


def test_an_answer_with_other_rows_than_the_input_is_shown_whole(
    browser: Any, service: Service, tmp_path: Path
) -> None:
    """It is asked by columns once the service has said so, and the code does the same."""
    with visit(browser, at(service, "pieces")) as page:
        answer = first_answer(page)
        box = page.get_by_role("textbox", name="text")
        told = answered(page, lambda: box.fill("to be or"))
        assert told["asked"] == {"inputs": {"text": ["to be or"]}}
        answer.get_by_text('["to","be","or"]').wait_for()
        answer.get_by_text(told["id"]).wait_for()
        assert answer.locator(".verdict").inner_text() == "3"
        told = answered(page, lambda: box.fill("word"))
        # One row is a row as any other.
        answer.get_by_text(told["id"]).wait_for()
        assert answer.locator("dd").inner_text() == "word"
        told = answered(page, lambda: box.fill("to be or not"))
        answer.get_by_text(told["id"]).wait_for()
        page.get_by_text("This request as code").click()
        codes = {}
        for title in ("curl", "JavaScript", "Python", "tritonclient"):
            page.get_by_role("button", name=title, exact=True).click()
            codes[title] = page.get_by_label(title, exact=True).inner_text()
    check_samples(codes, "not", tmp_path)


def test_a_file_goes_to_the_picture_on_which_it_lands(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "pieces")) as page:
        first_answer(page)
        told = answered(page, page.get_by_role("radio", name="pictures").check)
        assert told["answered"]["predictions"] == [{"l": 0, "r": 0}]
        right = page.locator("[data-field=right] canvas")
        told = answered(page, lambda: right.evaluate(DROP, True))
        assert told["answered"]["predictions"] == [{"l": 0, "r": 0.25}]
        # What is no picture takes nothing away, and the page says so.
        page.locator("[data-field=right] .hint").evaluate(DROP, False)
        said = page.locator("[data-field=right]").get_by_role("status")
        said.get_by_text("notes.pdf is no picture that this browser can read.").wait_for()
        told = answered(page, page.get_by_role("button", name="Predict").click)
        assert told["answered"]["predictions"] == [{"l": 0, "r": 0.25}]
        told = answered(page, lambda: page.locator("h1").evaluate(DROP, True))
        assert told["answered"]["predictions"] == [{"l": 0.25, "r": 0.25}]


def test_a_file_that_nobody_takes_is_named(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "measured", "table")) as page:
        page.get_by_text("A CSV file needs a header").wait_for()
        page.locator("h1").evaluate(DROP, False)
        words = "notes.pdf is of a kind that the model does not take here."
        page.get_by_role("alert").get_by_text(words).wait_for()


def test_no_model_one_that_loads_and_a_hundred(browser: Any, service: Service) -> None:
    with visit(browser, service.url) as page:
        page.wait_for_selector("[data-model]")
        page.route("**/ui/overview", overview_of())
        page.get_by_text("There is none yet. Put a version into the folder of models").wait_for()
        loading = {
            "name": "slow",
            "title": "",
            "version": None,
            "evaluation": None,
            "versions": [{"version": "1", "state": "loading", "reason": "It waits for disk."}],
        }
        crowd = [{"name": f"m{i:03}", "title": f"Number {i}"} for i in range(100)]
        page.unroute("**/ui/overview")
        page.route("**/ui/overview", overview_of(*crowd, loading))
        box = page.get_by_role("searchbox", name="Show models that contain")
        box.wait_for()
        assert page.locator("[data-model]:visible").count() == 101
        assert serious_problems(page) == []
        keep(page, "models-hundred")
        box.fill("number 42")
        assert page.locator("[data-model]:visible").count() == 1
        box.fill("SLOW")
        slow = page.locator("[data-model]:visible")
        assert "loading It waits for disk." in slow.inner_text()
        slow.get_by_role("link").click()
        page.get_by_text("Nothing of it serves now. Version 1: It waits for disk.").wait_for()


def test_a_service_that_stops_and_comes_back(
    browser: Any, start_service: StartService, service: Service, tmp_path: Path, models: Path
) -> None:
    """Last in this module: the service that comes back has no other model."""
    shutil.copytree(models / "measured", tmp_path / "measured")
    with visit(browser, at(service, "measured"), may_fail=True) as page:
        settled(page)
        service.stop()
        page.get_by_text("The service cannot be reached; trying again").wait_for()
        page.get_by_role("switch").uncheck()
        page.get_by_role("textbox", name="shift").fill("5")
        answer = page.get_by_role("region", name="Answer")
        answer.get_by_text("The service cannot be reached.").wait_for()
        start_service(tmp_path, PORT=str(urlsplit(service.url).port), UNDERSTUDY_QUIET_S="0")
        answer.get_by_text("version 1").wait_for()
        assert page.get_by_role("textbox", name="shift").input_value() == "5"
        assert page.locator("#connection").inner_text() == ""

"""Models tried, compared and explained on the page, in a real browser."""

import base64
import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ROOT, answered, at, copy_models, keep, settled, visit
from tests.e2e.code_samples import check_samples
from tests.e2e.conftest import Service, StartService


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_models(tmp_path_factory.mktemp("page") / "models")


@pytest.fixture(scope="module")
def service(start_service: StartService, models: Path) -> Service:
    return start_service(models)


def test_a_picture_is_drawn_and_classified(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing")) as page:
        settled(page)
        keep(page, "clothing")
        page.get_by_role("button", name="Clear").click()
        easel = page.locator("canvas.easel").bounding_box()
        x, y, size = easel["x"], easel["y"], easel["width"]
        page.mouse.move(x + size * 0.35, y + size * 0.2)
        page.mouse.down()
        for to_x, to_y in ((0.35, 0.85), (0.5, 0.3), (0.65, 0.85), (0.65, 0.2), (0.35, 0.2)):
            page.mouse.move(x + size * to_x, y + size * to_y, steps=12)
        told = answered(page, page.mouse.up)
        (instance,) = told["asked"]["instances"]
        image = instance["image"]
        assert len(image) == 28
        assert {len(row) for row in image} == {28}
        assert max(map(max, image)) == 255
        assert image[0][0] == 0
        (prediction,) = told["answered"]["predictions"]
        settled(page)
        assert page.locator(".verdict").inner_text().startswith(prediction["label"])
        assert page.locator(".bars li").count() == 10
        keep(page, "clothing-drawn")


def test_one_draws_with_the_keyboard_alone(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing")) as page:
        settled(page)
        page.get_by_role("button", name="Clear").press("Enter")
        page.locator("canvas.easel").focus()
        page.keyboard.press("Shift+ArrowRight")
        told = answered(page, lambda: page.keyboard.press(" "))
        assert max(map(max, told["asked"]["instances"][0]["image"])) == 255


def test_a_file_goes_to_the_signature_that_takes_files(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing")) as page:
        settled(page)
        boot = ROOT / "docs" / "images" / "ankle-boot.png"
        told = answered(page, lambda: page.get_by_label("Choose a file…").set_input_files(boot))
        assert told["asked"]["signature_name"] == "from_encoded"
        settled(page)
        assert page.locator(".verdict").inner_text().startswith("Ankle boot")


PASTE = """(b64) => {
    const bytes = Uint8Array.from(atob(b64), (letter) => letter.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "boot.png", { type: "image/png" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData }));
}"""


def test_a_picture_is_photographed_dropped_and_pasted(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing")) as page:
        settled(page)
        page.get_by_role("button", name="Camera").click()
        page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
        told = answered(page, page.get_by_role("button", name="Take the picture").click)
        photo = told["asked"]["instances"][0]["image_bytes"]["b64"]
        assert photo.startswith("/9j/")  # A JPEG file.
        boot = (ROOT / "docs" / "images" / "ankle-boot.png").read_bytes()
        drop = """(easel, b64) => {
            const bytes = Uint8Array.from(atob(b64), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "boot.png", { type: "image/png" }));
            // Beside the picture: it is taken all the same.
            document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer }));
        }"""
        b64 = base64.b64encode(boot).decode()
        told = answered(page, lambda: page.locator("canvas.easel").evaluate(drop, b64))
        assert told["asked"]["instances"][0]["image_bytes"]["b64"] == b64
        # A paste elsewhere, where nothing takes files, changes nothing for the next one.
        page.locator("#tab-card").click()
        page.evaluate(PASTE, b64)
        page.locator("#tab-try").click()
        settled(page)
        # It asks a moment later, and that must not be taken for what the paste asks.
        answered(page, page.get_by_role("radio", name="default").check)
        told = answered(page, lambda: page.evaluate(PASTE, b64))
        assert told["asked"]["instances"][0]["image_bytes"]["b64"] == b64


def test_golden_examples_are_at_hand_and_hard_ones_marked(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing")) as page:
        settled(page)
        examples = page.get_by_role("list", name="Examples").get_by_role("button")
        golden = json.loads(
            (ROOT / "saved_models/clothing/3/assets.extra/golden.json").read_text()
        )["examples"]
        assert examples.count() == len(golden)
        hard = examples.filter(has=page.locator(".pill"))
        assert hard.count() == sum("hard" in example["note"] for example in golden)
        told = answered(page, hard.first.click)
        wanted = next(example for example in golden if "hard" in example["note"])
        assert told["asked"]["instances"] == [wanted["instance"]]
        settled(page)
        assert "the model is wrong here" in page.get_by_role("region", name="Answer").inner_text()


def test_a_text_is_typed(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "sentiment")) as page:
        settled(page)
        keep(page, "sentiment")
        box = page.get_by_role("textbox", name="text")
        box.fill("")
        told = answered(page, lambda: box.type("A terrible, boring waste of two hours."))
        page.wait_for_function(
            "() => document.querySelector('.verdict')?.textContent.startsWith('negative')"
        )
        assert "instances" in told["asked"]
        assert page.locator(".bars li").count() == 2


def test_a_slider_moves_the_answer_and_its_interval(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "mpg")) as page:
        settled(page)
        keep(page, "mpg")
        slider = page.get_by_role("slider", name="weight")
        before = float(slider.input_value())
        told = answered(page, lambda: slider.press("PageDown"))
        assert told["asked"]["instances"][0]["weight"] < before
        settled(page)
        (prediction,) = told["answered"]["predictions"]
        words = page.get_by_role("region", name="Answer").inner_text()
        assert f"{prediction['mpg_low']:.1f}" in words
        assert page.locator("svg.whisker").count() == 1
        assert page.get_by_role("textbox", name="weight").input_value() == slider.input_value()
        told = answered(page, page.get_by_role("switch").check)
        assert told["asked"]["instances"][0]["horsepower"] is None
        told = answered(page, page.get_by_role("radio", name="japan").check)
        assert told["asked"]["instances"][0]["origin"] == "japan"


def test_a_mistake_is_shown_at_its_field_in_the_services_words(
    browser: Any, service: Service
) -> None:
    with visit(browser, at(service, "mpg")) as page:
        settled(page)
        box = page.get_by_role("textbox", name="cylinders")
        told = answered(page, lambda: box.fill("four"))
        words = told["answered"]["details"]["instances[0].cylinders"][0]
        field = page.locator("[data-field=cylinders]")
        field.get_by_text(words).wait_for()
        assert box.get_attribute("aria-invalid") == "true"
        described = box.get_attribute("aria-describedby").split()
        assert any(page.locator(f"#{each}").inner_text() == words for each in described)
        assert page.locator("[data-field].wrong").count() == 1
        keep(page, "mpg-mistake")
        answered(page, lambda: box.fill("4"))
        settled(page)
        assert page.locator("[data-field].wrong").count() == 0


def test_two_versions_are_compared_side_by_side(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing", "compare")) as page:
        page.get_by_text(re.compile("They (agree|disagree)")).wait_for()
        first, second = (
            page.get_by_role("region", name=f"{which} answer").inner_text()
            for which in ("First", "Second")
        )
        assert "version 3" in first
        assert "version 2" in second
        keep(page, "clothing-compare")
        # By its label, too.
        choice = page.get_by_label("First version")
        told = answered(page, lambda: choice.select_option(label="2 · stable"))
        assert told["url"].endswith("/versions/2:predict")
        page.get_by_text("They agree on").wait_for()
        page.get_by_text("its probability differs by 0.0 %").wait_for()


@pytest.mark.parametrize("model", ["clothing", "mpg", "sentiment"])
def test_an_answer_is_explained_by_one_batch(browser: Any, service: Service, model: str) -> None:
    with visit(browser, at(service, model, "why")) as page:
        button = page.get_by_role("button", name="Explain this answer")
        button.wait_for()
        told = answered(page, button.click)
        rows = told["asked"]["instances"]
        assert len(rows) > 10
        assert f"{len(rows)} inputs asked" in page.locator("[data-explained]").inner_text()
        what = {
            "clothing": "figure.heat canvas",
            "mpg": ".curves figure",
            "sentiment": ".words span",
        }
        assert page.locator(what[model]).count() >= 1
        keep(page, f"{model}-why")


DROP_CSV = """(text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer }));
}"""


def test_a_table_of_answers_with_errors_by_line(
    browser: Any, service: Service, tmp_path: Path
) -> None:
    header = "model_year,cylinders,displacement,horsepower,weight,acceleration,origin,name"
    good = "71,4,97,,2130,14.5,japan,corona"
    (tmp_path / "cars.csv").write_text(
        f"{header}\n{good}\n71,four,97,88,2130,14.5,japan,x\n\n{good}\n1999,4,97,88,2130,14.5,mars,y\n"
    )
    with visit(browser, at(service, "mpg", "table")) as page:
        page.get_by_label("Choose a CSV file").set_input_files(tmp_path / "cars.csv")
        page.get_by_text("2 of 4 answered, 2 with errors.").first.wait_for()
        keep(page, "mpg-table")
        with page.expect_download() as caught:
            page.get_by_role("button", name="Download").click()
        caught.value.save_as(tmp_path / "answers.csv")
        page.evaluate(DROP_CSV, f"{header}\n{good}\n")
        page.get_by_text("1 of 1 answered.").first.wait_for()
        page.evaluate(DROP_CSV, "cylinders,weight\n4,2000\n")
        page.get_by_text(
            "The header lacks displacement, acceleration, model_year, origin"
        ).wait_for()
        # What was answered before is not said of this file.
        assert page.get_by_text("1 of 1 answered.").count() == 0
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["where"] for row in rows] == ["line 2", "line 3", "line 5", "line 6"]
    assert float(rows[0]["mpg"]) == float(rows[2]["mpg"]) == pytest.approx(27.25, abs=0.1)
    assert rows[1]["error"] == "cylinders: Expected a number from 2 to 12, not 'four'."
    assert "model_year: " in rows[3]["error"]
    assert "origin: " in rows[3]["error"]


def test_many_pictures_at_once(browser: Any, service: Service, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    boot = ROOT / "docs" / "images" / "ankle-boot.png"
    with visit(browser, at(service, "clothing", "table")) as page:
        page.get_by_label("Choose pictures").set_input_files([boot, tmp_path / "broken.png"])
        page.get_by_text("1 of 2 answered, 1 with errors.").first.wait_for()
        rows = page.get_by_role("region", name="Answers").locator("tbody tr")
        assert "Ankle boot" in rows.nth(0).inner_text()
        assert "Expected a" in rows.nth(1).inner_text()
        (tmp_path / "folder" / "inner").mkdir(parents=True)
        for name in ("a.png", "inner/b.png"):
            shutil.copyfile(boot, tmp_path / "folder" / name)
        page.get_by_label("Choose a folder").set_input_files(tmp_path / "folder")
        page.get_by_text("2 of 2 answered.").first.wait_for()
        assert {row.split("\t")[0] for row in rows.all_inner_texts()} == {
            "folder/a.png",
            "folder/inner/b.png",
        }


def test_the_card_has_classes_training_and_contract(browser: Any, service: Service) -> None:
    with visit(browser, at(service, "clothing", "card")) as page:
        page.get_by_role("region", name="By class").wait_for()
        headings = page.locator("main h2").all_inner_texts()
        assert {"Evaluation", "By class", "Confusion", "Training run", "Data"} <= set(headings)
        keep(page, "clothing-card", full_page=True)


@pytest.mark.parametrize(
    ("model", "file", "expected"),
    [("mpg", "", "9.1"), ("clothing", "", "0.98"), ("clothing", "ankle-boot.png", "Ankle boot")],
)
def test_the_request_runs_as_code(
    browser: Any, service: Service, tmp_path: Path, model: str, file: str, expected: str
) -> None:
    with visit(browser, at(service, model)) as page:
        settled(page)
        if file:
            picture = ROOT / "docs" / "images" / file
            shutil.copyfile(picture, tmp_path / "picture.png")
            answered(page, lambda: page.get_by_label("Choose a file…").set_input_files(picture))
            settled(page)
        page.get_by_text("This request as code").click()
        codes = {}
        for title in ("curl", "JavaScript", "Python", "tritonclient"):
            page.get_by_role("button", name=title, exact=True).click()
            codes[title] = page.get_by_label(title, exact=True).inner_text()
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        if model == "clothing":
            with page.expect_download() as caught:
                page.get_by_role("button", name="Download request.json").click()
            caught.value.save_as(tmp_path / "request.json")
    check_samples(codes, expected, tmp_path)

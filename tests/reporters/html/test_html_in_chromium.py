"""The page in a real Chromium: it loads without errors or requests, fits the screen, and its buttons work."""

import json
import shutil

import pytest
from builders import difference, differences, many_prompts, noise, report, row, run_result, runs, unpadded_difference
from documents import CODE, DOCUMENTS, everywhere

from padcheck.reporters import Format, View, render
from padcheck.reporters.text.visible import visible, visible_token

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="no Chromium with a chromedriver")

LONG = "x" * 300
WIDE = tuple(
    row(index, num_pads=30, prompt=tuple(range(10, 50)), prompt_text=LONG, generated_text=LONG) for index in (0, 1)
)
PAGES = DOCUMENTS | {
    "hostile": everywhere(CODE),
    "wide": report(
        prompts=(LONG, f"{LONG} "),
        runs=runs(left=run_result("left", rows=WIDE, warnings=(LONG,))),
        load_warnings=(LONG,),
    ),
    "many": report(
        **many_prompts(24)
        | {
            "noise": noise(rounding_errors=0.02),
            "differences": differences(left=(unpadded_difference(0.0), difference(0.5, prompt_index=9)), count=24),
        }
    ),
}


class Browser:
    """One Chromium, and files for it to show."""

    def __init__(self, driver, folder):
        self.driver, self.folder = driver, folder

    def show(self, name, width=1280, scheme="light"):
        file = self.folder / f"{name}.html"
        if not file.exists():
            file.write_text(render(PAGES[name], Format.HTML, View()), encoding="utf-8")
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(file.as_uri())
        return file.as_uri()

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def find(self, selector):
        return self.driver.find_elements("css selector", selector)

    def requests(self):
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        return [each["request"]["url"] for each in sent if not each["request"]["url"].startswith("data:")]

    def background(self):
        return self.js("return getComputedStyle(document.body).backgroundColor")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    folder = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield Browser(driver, folder)
    driver.quit()


@pytest.fixture
def browser(started):
    return started


every_page = pytest.mark.parametrize("name", PAGES)


@every_page
def test_it_loads_without_errors_and_sends_no_request(browser, name):
    address = browser.show(name)
    assert browser.driver.get_log("browser") == []
    assert browser.requests() == [address]


@every_page
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_it_never_scrolls_sideways(browser, name, width):
    browser.show(name, width)
    for _ in ("folded", "unfolded"):
        assert browser.js("return innerWidth") == width
        assert browser.js("return document.documentElement.scrollWidth") <= width
        browser.js("for (const each of document.querySelectorAll('details')) each.open = true")


def test_hostile_text_is_text(browser):
    browser.show("hostile")
    from selenium.common.exceptions import NoAlertPresentException

    with pytest.raises(NoAlertPresentException):
        browser.driver.switch_to.alert  # noqa: B018
    assert browser.find("img") == []
    assert len(browser.find("script")) == 1
    assert visible(CODE) in browser.find("h1")[0].text
    assert visible(CODE) in browser.find("summary q")[0].text
    assert visible_token(CODE) in [cell.get_property("textContent") for cell in browser.find(".grid td")]


def test_a_run_can_be_hidden_and_shown(browser):
    browser.show("compare")
    browser.find("[data-expand]")[0].click()
    box = browser.find("[data-run-shown=left]")[0]
    of_left = browser.find("[data-run=left]")
    assert {each.tag_name for each in of_left} == {"tr", "tbody", "figure"}
    for shown in (False, True):
        box.click()
        assert {each.is_displayed() for each in of_left} == {shown}
        assert all(each.is_displayed() for each in browser.find("details.prompt [data-run=right]"))


def test_prompts_that_did_not_change_can_be_hidden(browser):
    browser.show("many")
    browser.find("details.rest summary")[0].click()
    shown = [sum(each.is_displayed() for each in browser.find("details.prompt"))]
    browser.js("scrollTo(0, 0)")
    browser.find("[data-only-changed]")[0].click()
    shown.append(sum(each.is_displayed() for each in browser.find("details.prompt")))
    assert shown == [24, 1]
    assert "Prompt 9" in browser.find("details.prompt[data-changed]")[0].text


def test_the_top_links_to_the_most_telling_prompt_which_alone_is_open(browser):
    browser.show("many")
    assert [each.get_attribute("id") for each in browser.find("details.prompt[open]")] == ["prompt-9"]
    browser.find(".telling a")[0].click()
    top = browser.js("return document.getElementById('prompt-9').getBoundingClientRect().top")
    assert 0 <= top < 400
    assert browser.find("#prompt-9 .grid")[0].is_displayed()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_contents_stay_in_view(browser, width):
    browser.show("many", width)
    browser.js("scrollTo(0, document.body.scrollHeight)")
    box = browser.js("return document.querySelector('.contents').getBoundingClientRect().toJSON()")
    assert box["top"] == 0
    assert box["height"] < 100


def test_the_columns_of_a_row_with_many_pads_begin_with_its_tokens(browser):
    browser.show("wide", 390)
    cells = browser.find("details[open] .grid tbody[data-run=left] tr:nth-child(2) td:not(.none)")
    assert [cell.text for cell in cells][:2] == ["⟨pad⟩×30", "␣t10"]
    assert cells[1].is_displayed()


def test_on_paper_every_section_is_there_without_the_controls(browser):
    browser.show("compare")
    browser.cdp("Emulation.setEmulatedMedia", media="print")
    try:
        assert not any(each.is_displayed() for each in browser.find("button, .toolbar, nav"))
        assert all(each.is_displayed() for each in browser.find("h2, .conclusion, .finding pre"))
    finally:
        browser.cdp("Emulation.setEmulatedMedia", media="")


def test_every_control_is_reached_by_keyboard(browser):
    from selenium.webdriver import Keys

    browser.show("many")
    reached = set()
    for _ in range(40):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(browser.driver.switch_to.active_element.tag_name)
    assert {"a", "button", "input", "summary", "div", "pre"} <= reached


def test_everything_can_be_unfolded_and_folded(browser):
    browser.show("many")
    button = browser.find("[data-expand]")[0]
    for unfolded, says in ((True, "Collapse all"), (False, "Expand all")):
        button.click()
        assert {each.get_property("open") for each in browser.find("details")} == {unfolded}
        assert button.text == says


def test_a_link_unfolds_its_target(browser):
    browser.show("survey")
    finding = browser.find("#llama-PAD201")[0]
    assert not finding.is_displayed()
    browser.find("a[href='#llama-PAD201']")[0].click()
    assert finding.is_displayed()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_overrides_the_colours_of_the_system(browser, scheme):
    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    browser.show("compare", scheme=scheme)
    button = browser.find("[data-theme-button]")[0]
    seen = []
    for _ in range(4):
        seen.append((button.text, browser.background()))
        button.click()
    assert seen == [
        ("Colours: system", colours[scheme]),
        ("Colours: dark", colours["dark"]),
        ("Colours: light", colours["light"]),
        ("Colours: system", colours[scheme]),
    ]


def test_a_fix_is_copied(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.show("compare")
    browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    button = browser.find(".finding [data-copy]")[0]
    fix = browser.find(".finding pre")[0].text
    button.click()
    WebDriverWait(browser.driver, 100).until(lambda _: button.text == "Copied")
    copied = browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == fix == PAGES["compare"].findings[0].fix


def test_without_scripts_only_the_buttons_are_missing(browser):
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.show("compare")
        assert not any(each.is_displayed() for each in browser.find("button, input"))
        assert all(each.is_displayed() for each in browser.find("[open] .grid, svg.map, .finding pre"))
        assert browser.driver.get_log("browser") == []
    finally:
        browser.cdp("Emulation.setScriptExecutionDisabled", value=False)


def test_its_policy_blocks_other_scripts_and_every_request(browser):
    browser.show("compare")
    browser.js(
        "const script = document.createElement('script'); script.textContent = 'document.title = 1';"
        "document.body.append(script); new Image().src = 'https://example.invalid/x.png';"
    )
    refused = " ".join(entry["message"] for entry in browser.driver.get_log("browser"))
    assert "script-src" in refused
    assert "img-src" in refused
    assert browser.js("return document.title") != "1"


CONTRAST = """
    const light = (color) => {
        const parts = color.match(/[\\d.]+/g).slice(0, 3).map((each) => {
            const part = each / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const behind = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const color = getComputedStyle(each).backgroundColor;
            if (!color.endsWith(', 0)')) { return color; }
        }
        return 'rgb(255, 255, 255)';
    };
    const ofText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return Math.min(...[...document.querySelectorAll('body *')].filter(ofText)
        .filter((element) => !element.closest('svg, script, style')).map((element) => {
            const two = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
            return (two[0] + 0.05) / (two[1] + 0.05);
        }));
"""
"""The smallest contrast ratio of a text and its background, as WCAG 2.2 defines it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["compare", "inspect-tokenizer", "check", "survey"])
def test_every_text_has_enough_contrast(browser, name, scheme):
    browser.show(name, scheme=scheme)
    assert browser.js(CONTRAST) >= 4.5  # level AA

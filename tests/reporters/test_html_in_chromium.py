"""The page in a real browser: it asks for nothing, says nothing on the console, fits, and its buttons work."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from builders import arms, batch, check, difference, differences, many_prompts, report, unmeasured, unpadded_difference
from msgspec.structs import replace
from surveys import MIXED

from padcheck.reporters import Format, View, render

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with chromedriver is installed"),
]

PHONE, DESK = 360, 1280
HOSTILE = "</script><script>document.title='broken'</script><s>struck</s> \" ' \x07 <img src=x onerror=alert(1)>"
WRONG = (unpadded_difference(1e-6, 2e-6), difference(0.5))
FAILED = report(differences=differences(left=WRONG, right=WRONG))
PAGES = {
    "report": FAILED,
    "inspection": report("inspect-tokenizer"),
    "check": check(FAILED, unmeasured(), report()),
    "survey": MIXED,
    "many prompts": report(**many_prompts(30)),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, log_output=subprocess.DEVNULL))
    yield driver
    driver.quit()


class Shown:
    """A page that the browser shows."""

    def __init__(self, browser, path: Path) -> None:
        self.browser = browser
        self.path = path

    def open(self, document, width: int = DESK, scheme: str = "light"):
        self.path.write_text(render(document, Format.HTML, View()), encoding="utf-8")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for log in ("browser", "performance"):
            self.browser.get_log(log)  # what the last page said
        self.browser.get(self.path.as_uri())
        return self

    def run(self, script: str):
        return self.browser.execute_script(f"return {script}")

    def all(self, selector: str):
        return self.browser.find_elements("css selector", selector)

    def visible(self, selector: str) -> list[str]:
        return [each.text for each in self.all(selector) if each.is_displayed()]

    def click(self, selector: str):
        element = self.all(selector)[0]
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def requests(self) -> list[str]:
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


@pytest.fixture
def shown(browser, tmp_path):
    return Shown(browser, tmp_path / "page.html")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_loads_quietly_asks_for_nothing_and_never_scrolls_sideways(shown, name, width):
    page = shown.open(PAGES[name], width)
    page.click("#unfold")
    assert page.browser.get_log("browser") == []
    assert set(page.requests()) <= {shown.path.as_uri(), "data:,"}
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("innerWidth") == width
    assert len(page.browser.get_screenshot_as_png()) > 10_000


def test_its_policy_lets_no_other_script_in_and_nothing_out(shown):
    page = shown.open(report())
    page.browser.execute_script(
        "const script = document.createElement('script'); script.textContent = 'document.title = 1';"
        "document.body.append(script); new Image().src = 'https://example.invalid/x.png';"
    )
    refused = " ".join(entry["message"] for entry in page.browser.get_log("browser"))
    assert "script-src" in refused
    assert "img-src" in refused
    assert page.run("document.title") != "1"


def test_hostile_text_is_shown_as_text(shown):
    rows = tuple(
        replace(row, tokens=(HOSTILE,) * len(row.tokens), text=HOSTILE, prompt_text=HOSTILE, generated_text=HOSTILE)
        for row in batch("left")
    )
    arms_with = {name: replace(arm, rows=rows) for name, arm in arms().items()}
    page = shown.open(report(prompts=(HOSTILE, HOSTILE), arms=arms_with))
    assert page.run("document.title").startswith("padcheck compare")
    assert page.run("document.scripts.length") == 1
    assert page.all("img, s") == []
    assert (
        "</script><script>document.title='broken'</script><s>struck</s> \" ' \\x07" in page.all(".one summary")[0].text
    )
    assert page.all(".grid td.new .text")[0].text.startswith("</script>")
    assert page.browser.get_log("browser") == []


def background(page):
    return page.run("getComputedStyle(document.body).backgroundColor")


def test_light_and_dark_follow_the_system_and_the_button(shown):
    light, dark = (background(shown.open(report(), scheme=scheme)) for scheme in ("light", "dark"))
    assert light != dark
    page = shown.open(report(), scheme="dark")
    page.click("#theme")
    assert (page.visible("#theme"), background(page)) == (["light"], light)
    page.click("#theme")
    assert background(page) == dark
    page.click("#theme")
    assert (page.visible("#theme"), background(page)) == (["auto"], dark)


def contrast(page, selector):
    return page.run(
        """(() => {
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
                    if (!color.endsWith(", 0)")) { return color; }
                }
            };
            return Math.min(...[...document.querySelectorAll('SELECTOR')].map((element) => {
                const two = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
                return (two[0] + 0.05) / (two[1] + 0.05);
            }));
        })()""".replace("SELECTOR", selector)
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "check", "survey"])
def test_text_can_be_read_against_what_is_behind_it(shown, name, scheme):
    page = shown.open(PAGES[name], scheme=scheme)
    # The ratio that WCAG 2.2 asks for at level AA.
    assert contrast(page, "p, td, th, dt, dd, h1, h2, h3, h4, summary, pre, .badge, .key, button") >= 4.5


def test_arms_can_be_hidden_and_ids_shown(shown):
    page = shown.open(report())
    assert "left" in page.visible(".grid .arm th")
    page.click("[data-shows=left]")
    assert set(page.visible(".grid .arm th")) == {"single", "right"}
    page.click("[data-shows=left]")
    assert set(page.visible(".grid .arm th")) == {"single", "left", "right"}
    assert page.visible(".grid .id") == []
    page.click("[data-ids]")
    assert set(page.visible(".grid td.new .id")) == {"20", "21"}
    assert page.visible(".grid .text") == []


def test_everything_can_be_unfolded(shown):
    page = shown.open(FAILED)
    folded = page.run("document.querySelectorAll('details:not([open])').length")
    assert folded > 0
    page.click("#unfold")
    assert page.run("document.querySelectorAll('details:not([open])').length") == 0
    page.click("#unfold")
    assert page.run("document.querySelectorAll('details[open]').length") == 0


def test_a_fix_is_copied(shown):
    page = shown.open(FAILED)
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.browser.execute_cdp_cmd("Browser.grantPermissions", grant)
    page.click(".finding .copy")
    page.browser.set_script_timeout(5)
    copied = page.browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == FAILED.findings[0].fix
    assert page.visible(".finding .copy")[0] == "copied"


def test_where_the_clipboard_is_refused_the_fix_is_selected(shown):
    page = shown.open(FAILED)
    page.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    page.click(".finding .copy")
    assert page.run("getSelection().toString()") == FAILED.findings[0].fix
    assert page.visible(".finding .copy")[0] == "selected"


def test_all_of_it_can_be_read_without_its_script(shown):
    page = shown.open(FAILED)
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.browser.get(shown.path.as_uri())
        assert page.visible(".copy, .choices, .tools") == []
        assert FAILED.findings[0].fix in page.visible(".finding pre")
        assert page.visible(".chart svg, .grid")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

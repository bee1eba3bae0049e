"""The site is built without a dead link, lists every page, loads nothing from other servers, and sorts its tables."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pages
import pytest

CONFIGURATION = pages.ROOT / "zensical.toml"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")


def listed(entries: list) -> list[str]:
    """The pages of a part of the navigation."""
    found = []
    for entry in entries:
        inner = next(iter(entry.values())) if isinstance(entry, dict) else entry
        found += [inner] if isinstance(inner, str) else listed(inner)
    return found


def test_the_navigation_lists_every_page_once():
    navigation = listed(msgspec.toml.decode(CONFIGURATION.read_bytes())["project"]["nav"])
    assert sorted(navigation) == sorted(str(page.relative_to(pages.DOCS)) for page in pages.DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", [*pages.WRITTEN, pages.ROOT / "CONTRIBUTING.md"], ids=pages.name)
def test_every_linked_file_exists(page):
    """The build checks links between pages. These may also lead to pictures, scripts and schemas."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the site is built from."""
    pytest.importorskip("zensical", reason="Zensical is not installed")
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(CONFIGURATION, folder)
    shutil.copytree(pages.DOCS, folder / "docs")
    return folder


@pytest.fixture(scope="module")
def site(source: Path) -> Path:
    done = build(source)
    assert done.returncode == 0, done.stderr
    return source / "site"


def test_it_has_each_page_under_a_lasting_address(site):
    assert (site / "tutorial" / "index.html").is_file()
    for page in (pages.DOCS / "codes").glob("PAD*.md"):
        assert (site / "codes" / page.stem / "index.html").is_file()
    assert (site / "padcheck.schema.json").is_file()
    assert (site / "report.schema.json").is_file()


def test_its_pages_load_nothing_from_other_servers(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"?(https?:[^\"\s>]+)", page.read_text())
        assert loaded == [], page


@pytest.mark.parametrize("link", ["gone.md", "verdict.md#gone", "codes/PAD202.md#gone"])
def test_a_dead_link_or_anchor_fails_the_build(link, source, site, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(source, broken, ignore=shutil.ignore_patterns("site", ".cache"))
    with (broken / "docs" / "faq.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[dead]({link})\n")
    assert build(broken).returncode == 1


@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="no Chromium with a chromedriver")
def test_a_click_on_a_heading_sorts_the_compatibility_table(site, tmp_path):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        driver.get((site / "compatibility" / "index.html").as_uri())
        column = """
            const heading = [...document.querySelectorAll("th")].find((each) => each.textContent == "generate left");
            if (arguments[0] == "clicked") heading.click();
            return [...heading.closest("table").tBodies[0].rows].map((row) => row.cells[2].textContent);
        """
        before, after = (driver.execute_script(column, state) for state in ("loaded", "clicked"))
        numbers = [float(re.match(r"[\d.]+(e-?\d+)?|", cell)[0] or 0) for cell in after]
        assert sorted(after) == sorted(before)
        assert numbers != [0.0] * len(numbers)
        assert numbers in (sorted(numbers), sorted(numbers, reverse=True))
    finally:
        driver.quit()

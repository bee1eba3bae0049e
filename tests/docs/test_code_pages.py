"""There is an up-to-date page for each code, under the address that SARIF and `padcheck explain` give."""

import code_pages
from conftest import ROOT

from padcheck.core.errors import HOME
from padcheck.judging.rules import RULES


def test_the_pages_are_up_to_date():
    pages = code_pages.pages()
    assert set(code_pages.FOLDER.iterdir()) == pages.keys(), "run: make docs"
    for file, text in pages.items():
        assert file.read_text(encoding="utf-8") == text, "run: make docs"


def test_the_site_lists_every_page():
    site = code_pages.SITE.read_text(encoding="utf-8")
    assert code_pages.navigation() == site, "run: make docs"
    assert all(f'"codes/{file.name}"' in site for file in code_pages.pages())


def test_every_address_leads_to_a_page():
    for rule in RULES:
        page = ROOT / rule.url().removeprefix(f"{HOME}/blob/main/")
        assert page.read_text(encoding="utf-8").startswith(f"# {rule.code} {rule.name}\n")

"""The homes of the browsers' module, in a real browser, with a model or an address made here."""

from typing import Any

import pytest

from tin_lib.lab.widgets.module import joined

pytestmark = pytest.mark.browser

# A widget's model as ipywidgets makes it: an event for each change, and what was sent.
MODEL = """
    const calls = {};
    window.kept = { description: {}, state: {} };
    window.sent = [];
    window.emit = (name, ...given) => (calls[name] ?? []).forEach((call) => call(...given));
    window.model = {
        get: (name) => kept[name],
        set(name, value) {
            const same = JSON.stringify(kept[name]) === JSON.stringify(value);
            kept[name] = value;
            if (!same) emit(`change:${name}`);
        },
        on: (name, call) => (calls[name] ??= []).push(call),
        off: (name, call) => { calls[name] = calls[name].filter((each) => each !== call); },
        save_changes() {},
        send: (request) => sent.push(request),
    };
    window.home = notebookHome(model);
    window.said = [];
    home.hear(({ notice }) => said.push(notice));
"""


@pytest.fixture
def home(page: Any) -> Any:
    """A page with the home of a notebook, by a clock that the test sets."""
    page.clock.install()
    page.goto("about:blank")
    page.add_script_tag(content=f"(() => {{ {joined('filters')} {MODEL} }})()")
    yield page
    assert page.errors == []


def test_a_view_that_the_page_wrote_can_be_shown_again_by_python(home: Any) -> None:
    home.evaluate("() => { window.read = []; home.watch(() => read.push(home.read().filter)); }")
    home.evaluate("() => home.write({ filter: 1 })")
    assert home.evaluate("() => read") == []
    home.evaluate("() => { model.set('state', { filter: 2 }); model.set('state', { filter: 1 }); }")
    assert home.evaluate("() => read") == [2, 1]


def test_a_missing_answer_is_explained_until_it_comes(home: Any) -> None:
    home.evaluate(
        "() => { home.ask({ kind: 'view' }).then(({ text }) => { window.text = text; }); }"
    )
    home.clock.fast_forward(30_000)
    assert "Python has not answered yet" in home.evaluate("() => said.join()")
    home.evaluate("() => emit('msg:custom', { id: sent[0].id, text: 'late' }, [])")
    home.wait_for_function("() => window.text === 'late'")
    assert home.evaluate("() => said.at(-1)") == ""


def test_a_closed_view_says_nothing_of_missing_answers(home: Any) -> None:
    home.evaluate("() => { home.ask({ kind: 'view' }); home.close(); }")
    home.clock.fast_forward(30_000)
    assert home.evaluate("() => said") == []


def test_a_refused_change_of_the_address_stops_nothing(page: Any) -> None:
    page.goto("about:blank")
    page.add_script_tag(
        content=f"(() => {{ {joined('filters')} window.home = addressed({{ data: {{}} }}); }})()"
    )
    page.evaluate(
        "() => { history.replaceState = () => { throw new DOMException('too often'); }; }"
    )
    assert page.evaluate("() => { home.write({ filter: 1 }, false); return location.hash; }") == ""
    page.evaluate("() => home.write({ filter: 2 })")
    assert page.evaluate("() => location.hash") == "#filter=2"
    assert page.errors == []

"""Answers reach the page, however the network cuts the stream that brings them."""

import pytest
from app_page import Tab, small_app

TEACH = ".af-room[data-room=teach]"
# The network under the page: it hands on the end of a stream late, or everything of a stream at once, at its end.
NETWORK = """(() => {
    const plain = window.fetch;
    const cut = (held = []) => new TransformStream({
        async transform(bytes, paper) {
            if (window.network === 'together') return void held.push(bytes);
            const [before, end] = new TextDecoder().decode(bytes).split(/(?=data: {"msg":"close_stream)/);
            if (window.network !== 'late' || !(end ?? before).includes('close_stream')) return paper.enqueue(bytes);
            if (end) paper.enqueue(new TextEncoder().encode(before));
            window.ended = true;
            await new Promise((done) => (window.goOn = done));
            paper.enqueue(new TextEncoder().encode(end ?? before));
        },
        flush(paper) {
            if (held.length) paper.enqueue(new Uint8Array(held.flatMap((bytes) => [...bytes])));
        },
    });
    window.fetch = async (input, init) => {
        const answer = await plain(input, init);
        if (!String(input.url ?? input).includes('/queue/data')) return answer;
        return new Response(answer.body.pipeThrough(cut()), { status: answer.status, headers: answer.headers });
    };
})();"""
HIDDEN = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with small_app(tmp_path_factory.mktemp("server")) as address:
        yield address


def teach(browser, address, script):
    tab = Tab(browser, address, script)
    tab.page.click("button[role=tab]:has-text('Teach')")
    tab.page.wait_for_function(f"document.querySelectorAll('{TEACH} .af-start option').length > 0")
    return tab


def test_a_question_that_is_asked_while_the_stream_of_answers_ends_is_answered(browser, address):
    tab = teach(browser, address, NETWORK)
    page = tab.page
    page.evaluate("window.network = 'late'")
    add = page.locator(f"{TEACH} .af-pupil >> nth=0 >> button:has-text('+ this sound')")
    add.click()
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '1'")
    page.wait_for_function("window.ended")
    page.evaluate("window.network = ''")
    with page.expect_response("**/queue/join*") as asked:
        add.click()
    assert asked.value.ok
    asked.value.finished()
    page.evaluate("goOn()")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '2'")
    tab.close()


def test_answers_that_come_together_to_a_page_in_the_background_all_arrive(browser, address):
    tab = teach(browser, address, NETWORK + HIDDEN)
    page = tab.page
    for number, name in enumerate(("one", "two")):
        page.fill(f"{TEACH} .af-class-name >> nth={number}", name)
        for count in (1, 2):
            page.click(f"{TEACH} .af-pupil >> nth={number} >> button:has-text('+ this sound')")
            page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '{2 * number + count}'")
    page.evaluate(
        """() => {
        window.network = 'together';
        window.stages = [];
        const told = document.querySelector('.af-progress span');
        new MutationObserver(() => stages.push(told.textContent)).observe(told, { childList: true });
    }"""
    )
    page.click(f"{TEACH} .af-teach")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.taught")
    stages = page.evaluate("stages")
    assert [f"Reading example {n} of 4" for n in range(5)] == stages[1:6]
    assert stages[-2:] == ["Looking at the result", "Done"]
    tab.close()

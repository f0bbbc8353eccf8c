"""Answers reach the page, however the network cuts the stream that brings them."""

import pytest
from app_page import WAIT_MS, Tab, small_app

from audioformer_app.settings import STATIC

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


# A server as Gradio's client sees it, one step at a time: take(id) takes a question, say(...) writes on the stream.
SERVER = """window.streams = [];
window.fetch = (input) => {
    const taken = (done) => (window.take = (event_id) => done(Response.json({ event_id })));
    if (input === '/queue/join') return new Promise(taken);
    const stream = new ReadableStream({ start: (paper) => streams.push(paper) });
    return Promise.resolve(new Response(stream));
};
window.say = (...messages) => streams.at(-1).enqueue(new TextEncoder().encode(
    messages.map((message) => `data: ${JSON.stringify(message)}\\n\\n`).join('')));
"""
CLIENT = """window.heard = [];
window.listen = async () => {
    const reader = (await fetch('/queue/data')).body.getReader();
    for (let got; !(got = await reader.read()).done; ) {
        heard.push(JSON.parse(new TextDecoder().decode(got.value).slice(6)).msg);
        if (heard.at(-1) === 'close_stream') await reader.cancel();
    }
};
window.ask = () => void (window.asked = fetch('/queue/join').then((answer) => answer.json()));
"""


@pytest.mark.parametrize("lost", ["answered before it was taken", "the stream broke"])
def test_a_question_that_is_over_holds_no_stream_open(browser, lost):
    """Its id would, for as long as the page is open: a connection of six, and a session that is never forgotten."""
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    page.evaluate(f"{SERVER}; {(STATIC / 'stream.js').read_text(encoding='utf-8')}; {CLIENT}")
    page.evaluate("void listen()")
    page.wait_for_function("streams.length === 1")
    page.evaluate("ask()")
    if lost == "the stream broke":
        page.evaluate("take('one'), asked")
        page.evaluate("streams[0].close()")
        page.evaluate("void listen()")
        page.wait_for_function("streams.length === 2")
    else:
        page.evaluate("say({ msg: 'process_completed', event_id: 'one' })")
        page.wait_for_function("heard.includes('process_completed')")
        page.evaluate("take('one'), asked")
    before = page.evaluate("streams.length")
    page.evaluate("say({ msg: 'close_stream' })")
    page.wait_for_function("heard.includes('close_stream')")
    assert page.evaluate("streams.length") == before
    page.close()

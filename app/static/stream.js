// No answer is lost between the server and Gradio's client (6.31). Runs in the page's head, before Gradio, around `fetch`.
// - The server ends the stream of answers when no question is open. A question that it takes before the browser has read
//   that end is answered on no stream at all: the client believes the old one open. Here the stream goes on instead.
// - Messages that come together to a page in the background are handled as one, and of two answers to one room the first
//   is overwritten by the second. Here each message gets a task of its own.
// A server that is gone is told to the page by an event of the window, `audioformer-gone`.
(() => {
  const ask = window.fetch.bind(window);
  const open = new Set(); // questions that the server has taken and not answered, by event id
  const early = new Set(); // those that were answered before the browser had read that they were taken
  const gone = () => window.dispatchEvent(new Event("audioformer-gone"));
  const LAID_DOWN_MS = 2000; // the longest wait until Gradio has laid down a stream that ended
  let laidDown = Promise.resolve();
  const { port1, port2 } = new MessageChannel(); // a timer of a page in the background waits for up to a second
  const turns = [];
  port1.onmessage = () => turns.shift()();
  const nextTask = () => new Promise((done) => turns.push(done) && port2.postMessage(null));

  window.fetch = (input, init) => {
    const address = String(input?.url ?? input);
    if (address.includes("/queue/join")) return question(input, init);
    if (address.includes("/queue/data")) return answers(input, init);
    return ask(input, init);
  };

  async function question(input, init) {
    const answer = await ask(input, init).catch((error) => {
      gone();
      throw error;
    });
    const taken = await answer.clone().json().catch(() => null); // prettier-ignore
    if (taken?.event_id && !early.delete(taken.event_id)) open.add(taken.event_id);
    await laidDown;
    return answer;
  }

  async function answers(input, init) {
    const first = await ask(input, init);
    if (!first.ok) return first;
    let [reader, left, down] = [first.body.getReader(), false, () => {}];
    const cancel = () => {
      left = true;
      down();
      return reader.cancel().catch(() => {});
    };
    const body = new ReadableStream({ start: (paper) => relay(paper).catch((error) => left || input.signal?.aborted || broken(paper, error)), cancel });
    return new Response(body, { status: first.status, headers: first.headers });

    function broken(paper, error) {
      open.clear(); // Gradio gives up all questions of a stream that breaks
      if (!error) return paper.close();
      gone();
      return paper.error(error);
    }

    async function relay(paper) {
      const [words, letters] = [new TextDecoder(), new TextEncoder()];
      for (let rest = ""; !left; ) {
        const { value, done } = await reader.read();
        if (done) return left || broken(paper);
        const messages = (rest + words.decode(value, { stream: true })).split("\n\n");
        rest = messages.pop();
        for (const message of messages) {
          const [, kind] = /"msg":"(\w+)"/.exec(message) ?? [];
          const [, id] = /"event_id":"(\w+)"/.exec(message) ?? [];
          if (kind === "process_completed" && id && !open.delete(id)) early.add(id);
          if (kind === "close_stream" && open.size) {
            const more = await ask(input, init);
            if (more.ok) {
              reader = more.body.getReader();
              break;
            }
          }
          if (kind === "close_stream") laidDown = new Promise((ready) => setTimeout((down = ready), LAID_DOWN_MS));
          paper.enqueue(letters.encode(`${message}\n\n`));
          if (kind === "close_stream") return true;
          await nextTask();
        }
      }
      return true;
    }
  }
})();

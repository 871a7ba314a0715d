/** What the load generator was told, item by item, and the comparison of that with what the server holds in the end. */
export class Ledger {
  /** Sessions whose creation was answered. */
  #created = new Set();
  /** Item → how many polls of different hand-outs brought it. */
  #claimed = new Map();
  #stopped = new Set();
  #refused = [];

  created(sessionId) {
    this.#created.add(sessionId);
  }

  claimed(workId) {
    this.#claimed.set(workId, (this.#claimed.get(workId) ?? 0) + 1);
  }

  stopped(workId) {
    this.#stopped.add(workId);
  }

  /** An answer that a flawless run does not have. */
  refused(verb, status, body) {
    this.#refused.push(`${verb}: ${status} ${body.slice(0, 200)}`);
  }

  /** @param items every work item of the environment, as its list shows them */
  audit(items) {
    const sessions = new Map();
    const states = {};
    let lost = 0;
    let notStopped = 0;
    for (const item of items) {
      sessions.set(item.data.id, (sessions.get(item.data.id) ?? 0) + 1);
      states[item.state] = (states[item.state] ?? 0) + 1;
      if (this.#stopped.has(item.id) && item.state !== "stopped") notStopped += 1;
    }
    for (const id of this.#created) if (!sessions.has(id)) lost += 1;
    const known = new Set(items.map((item) => item.id));
    for (const id of [...this.#claimed.keys(), ...this.#stopped]) if (!known.has(id)) lost += 1;
    const ownedTwice = [...this.#claimed.values()].filter((count) => count > 1).length;
    const doubled = [...sessions.values()].filter((count) => count > 1).length;
    return {
      sessions: this.#created.size,
      items: items.length,
      states,
      lost: lost + notStopped,
      owned_twice: ownedTwice + doubled,
      refused: this.#refused.length,
      first_refusals: this.#refused.slice(0, 3),
    };
  }
}

/** Reads the whole list of an environment, page by page. */
export async function allItems(connection, requests) {
  const items = [];
  for (let after = null; ; ) {
    const page = await new Promise((resolve, reject) =>
      connection.send(requests.list(after), (status, body) =>
        status === 200 ? resolve(JSON.parse(body)) : reject(new Error(`The list answered ${status}: ${body}`)),
      ),
    );
    for (const item of page.data) items.push(item);
    if (!page.has_more) return items;
    after = page.last_id;
  }
}

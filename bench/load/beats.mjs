/** Workers that each hold one item and send heartbeats for it as fast as they are answered. */
import { Connection } from "./connection.mjs";
import { queueRequests } from "./requests.mjs";

export class BeatsLoad {
  #urls;
  #requests;
  #holders = [];

  constructor({ urls, queue }) {
    this.#urls = urls;
    this.#requests = queueRequests({ host: new URL(urls[0]).host, ...queue });
  }

  async connect(count) {
    const fail = (error) => {
      throw error;
    };
    for (let index = 0; index < count; index++) {
      const connection = new Connection(this.#urls[index % this.#urls.length], fail);
      await connection.ready();
      const worker = `beats-${index}`;
      const call = (request) =>
        new Promise((resolve, reject) =>
          connection.send(request, (status, body) =>
            status === 200 ? resolve(JSON.parse(body)) : reject(new Error(`A heartbeat answered ${status}: ${body}`)),
          ),
        );
      await call(this.#requests.create);
      const item = await call(this.#requests.poll(worker));
      await call(this.#requests.ack(worker, item.id));
      const { last_heartbeat } = await call(this.#requests.heartbeat(worker, item.id));
      this.#holders.push({ connection, call, worker, item: item.id, last: last_heartbeat });
    }
  }

  /** Resolves with how many beats were accepted. */
  async round({ ms }) {
    const end = performance.now() + ms;
    let beats = 0;
    await Promise.all(
      this.#holders.map(async (holder) => {
        while (performance.now() < end) {
          const beat = this.#requests.heartbeat(holder.worker, holder.item, encodeURIComponent(holder.last));
          holder.last = (await holder.call(beat)).last_heartbeat;
          beats += 1;
        }
      }),
    );
    return { beats };
  }

  close() {
    for (const { connection } of this.#holders) connection.close();
  }
}

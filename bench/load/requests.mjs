/** The requests of a queue as text, ready to be written to a socket. */
const API = "/api/v1/cloud";

export function queueRequests({ host, environmentId, workerToken, clientToken }) {
  const lines = (token, more = "") => `host: ${host}\r\nauthorization: Bearer ${token}\r\n${more}`;
  const withBody = (head, body) =>
    `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const queue = `${API}/environments/${environmentId}/work`;
  const worker = (id) => `worker-id: ${id}\r\n`;
  const message = {
    type: "user.message",
    content: [{ type: "text", text: "Please have a look at the failing build." }],
  };
  const newSession = JSON.stringify({ environment_id: environmentId, initial_events: [message] });
  const force = JSON.stringify({ force: true });
  return {
    create: withBody(`POST ${API}/sessions HTTP/1.1\r\n${lines(clientToken)}`, newSession),
    poll: (workerId) => `GET ${queue}/poll HTTP/1.1\r\n${lines(workerToken, worker(workerId))}\r\n`,
    park: (workerId, seconds) =>
      `GET ${queue}/poll HTTP/1.1\r\n${lines(workerToken, `${worker(workerId)}prefer: wait=${seconds}\r\n`)}\r\n`,
    ack: (workerId, id) => post(`${queue}/${id}/ack`, workerId),
    heartbeat: (workerId, id, expected = "NO_HEARTBEAT") =>
      post(`${queue}/${id}/heartbeat?expected_last_heartbeat=${expected}&desired_ttl_seconds=60`, workerId),
    stop: (workerId, id) =>
      withBody(`POST ${queue}/${id}/stop HTTP/1.1\r\n${lines(workerToken, worker(workerId))}`, force),
    list: (afterId) =>
      `GET ${queue}?limit=100${afterId === null ? "" : `&after_id=${afterId}`} HTTP/1.1\r\n${lines(workerToken)}\r\n`,
  };

  function post(path, workerId) {
    return `POST ${path} HTTP/1.1\r\n${lines(workerToken, worker(workerId))}content-length: 0\r\n\r\n`;
  }
}

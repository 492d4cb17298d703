// Visits many URLs, some at a time, and returns what was seen of each. It is run in a page
// (tests/support/clients/chromium.py) and with Node's `ws` (tests/node/visit.mjs); tests/cases/vocabulary.py (`asked`)
// says what a case has.
//
// `make` returns a case's WebSocket. `own` has what a page cannot do: `ping`, `terminate`, and `watch` for what only
// this client tells.
async (cases, atOnce, make, own = {}) => {
  const hex = (octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
  const shown = async (data) => {
    const isText = typeof data === "string";
    const octets = isText ? new TextEncoder().encode(data) : new Uint8Array(data);
    if (octets.length > 10000) {
      const sha256 = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", octets)));
      return { type: isText ? "text" : "binary", size: octets.length, sha256 };
    }
    return isText ? data : { binary: hex(octets) };
  };
  const send = (socket, message) => {
    if (typeof message === "string") socket.send(message);
    else if ("binary" in message) socket.send(Uint8Array.from(message.binary.match(/../g) ?? [], (two) => parseInt(two, 16)));
    else if ("size" in message) socket.send(new Uint8Array(message.size));
    else own.ping?.(socket, message.payload);
  };
  const visit = (each) => new Promise((resolve) => {
    const { sends, until, linger, patience } = each;
    const at = {};
    const seen = { opened: false, failed: false, error: null, gave_up: false, at, messages: [], pings: [], pongs: [], behind: [] };
    const begun = performance.now();
    const mark = (event) => { at[event] = performance.now() - begun; };
    const socket = make(each);
    let impatience;
    const wait = (milliseconds, then) => {
      clearTimeout(impatience);
      impatience = setTimeout(then, milliseconds);
    };
    const finish = async (more) => {
      mark("closed");
      clearTimeout(impatience);
      socket.onclose = null;
      for (const what of ["messages", "behind"]) seen[what] = await Promise.all(seen[what].map(shown));
      resolve({ ...seen, ...more });
    };
    const giveUp = () => {
      seen.gave_up = true;
      if (own.terminate) own.terminate(socket);
      else if (socket.readyState === WebSocket.CONNECTING) socket.close(); // others wait for it
      else finish({ code: 1006, reason: "", clean: false });
    };
    const close = () => {
      socket.close(1000, "enough");
      wait(patience.closing, giveUp);
    };
    const loseInterest = () => {
      Object.assign(seen, { gave_up: true, held_up: socket.bufferedAmount > 0 });
      close();
    };
    const count = () => {
      const isEnough = Object.entries(until).every(([what, number]) => seen[what].length >= number);
      if (!isEnough || linger === null || at.enough || socket.readyState !== socket.OPEN) return;
      mark("enough");
      if (linger === 0) close();
      else wait(linger, loseInterest);
    };
    const see = (what, content) => {
      seen[what].push(content);
      count();
    };
    wait(patience.connecting, giveUp);
    socket.binaryType = "arraybuffer";
    seen.url = socket.url;
    socket.onopen = () => {
      mark("opened");
      wait(patience.open, giveUp);
      Object.assign(seen, { opened: true, subprotocol: socket.protocol || null, extensions: socket.extensions });
      for (const message of sends) send(socket, message);
      count();
    };
    socket.onmessage = ({ data }) => see(socket.readyState === socket.OPEN ? "messages" : "behind", data);
    socket.onerror = ({ message }) => {
      seen.failed = true;
      seen.error ??= seen.gave_up ? null : message ?? null;
    };
    socket.onclose = ({ code, reason, wasClean }) => finish({ code, reason, clean: wasClean });
    own.watch?.(socket, see, finish);
  });
  const results = [];
  let next = 0;
  const work = async () => {
    while (next < cases.length) {
      const number = next++;
      results[number] = await visit(cases[number]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

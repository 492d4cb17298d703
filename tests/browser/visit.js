// Visits many URLs from a page, some at a time, and returns what it saw of each. What a case holds is said in
// tests/cases/vocabulary.py (`asked`).
async (cases) => {
  const AT_ONCE = 4; // with more at once Chromium makes them wait
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
    else if ("size" in message) for (let sent = 0; sent < message.size; sent += 65536) socket.send(new Uint8Array(65536));
    // A page cannot ping.
  };
  const visit = ({ url, offers, sends, until, linger, patience }) => new Promise((resolve) => {
    const at = {};
    const seen = { opened: false, failed: false, messages: [], gave_up: false, at };
    const begun = performance.now();
    const mark = (event) => { at[event] = performance.now() - begun; };
    const socket = new WebSocket(url, offers);
    const finish = async (event) => {
      mark("closed");
      clearTimeout(impatience);
      socket.onclose = null;
      seen.messages = await Promise.all(seen.messages.map(shown));
      resolve({ ...seen, code: event.code, reason: event.reason, clean: event.wasClean });
    };
    let impatience;
    const wait = (milliseconds, then) => {
      clearTimeout(impatience);
      impatience = setTimeout(then, milliseconds);
    };
    const giveUp = () => {
      seen.gave_up = true;
      if (socket.readyState === WebSocket.CONNECTING) socket.close(); // others wait for it
      else finish({ code: 1006, reason: "", wasClean: false });
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
      if (seen.messages.length < until.messages || linger === null || at.enough) return;
      if (socket.readyState !== WebSocket.OPEN) return;
      mark("enough");
      if (linger === 0) close();
      else wait(linger, loseInterest);
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
    socket.onmessage = (event) => {
      seen.messages.push(event.data);
      count();
    };
    socket.onerror = () => { seen.failed = true; };
    socket.onclose = finish;
  });
  const results = [];
  let next = 0;
  const work = async () => {
    while (next < cases.length) {
      const number = next++;
      results[number] = await visit(cases[number]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

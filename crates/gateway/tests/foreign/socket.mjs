// A WebSocket over HTTP/2 from a client that is not ours (Node's `http2`): `socket.mjs PORT CERTIFICATE`, the request's headers as
// JSON on the first line of the input. Says `hello`, and writes a line for each frame: opcode, and payload as text.
import http2 from 'node:http2';
import fs from 'node:fs';
import readline from 'node:readline';

const [port, certificate] = process.argv.slice(2);
const session = http2.connect('https://api.example.com', {
  ca: fs.readFileSync(certificate), host: '127.0.0.1', port: Number(port), servername: 'api.example.com',
});
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const frame = (opcode, payload) => {
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask, payload.map((byte, at) => byte ^ mask[at % 4])]);
};
const lines = readline.createInterface({ input: process.stdin });
const first = new Promise((done) => lines.once('line', done));
session.on('remoteSettings', async (settings) => {
  if (!settings.enableConnectProtocol) return say({ fault: 'no extended CONNECT' });
  const headers = { ...JSON.parse(await first), ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' };
  const stream = session.request(headers, { endStream: false });
  let held = Buffer.alloc(0);
  stream.on('response', (answer) => {
    say({ status: answer[':status'] });
    stream.write(frame(1, Buffer.from('hello')));
  });
  stream.on('data', (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 2 && held.length >= 2 + held[1]) {
      const payload = held.subarray(2, 2 + held[1]);
      if ((held[0] & 15) === 8) {
        say({ close: payload.readUInt16BE(0), reason: payload.subarray(2).toString() });
        stream.end(frame(8, payload.subarray(0, 2)));
      } else {
        say({ text: payload.toString() });
      }
      held = held.subarray(2 + held[1]);
    }
  });
  stream.on('close', () => { say({ ended: true }); session.close(); });
});

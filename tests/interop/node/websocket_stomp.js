// @stomp/stompjs over WebSocket, told as one JSON object on standard output.
//
//     node websocket_stomp.js URL QUEUE_TO_READ COUNT QUEUE_TO_WRITE
//
// Reads COUNT messages from the first queue, and writes as many to the second.

"use strict";

const { Client } = require("@stomp/stompjs");
const WebSocket = require("ws");

Object.assign(global, { WebSocket });

const [url, source, count, destination] = process.argv.slice(2);
const wanted = Number(count);
const result = { bodies: [] };

const client = new Client({
  brokerURL: url,
  connectHeaders: { login: "guest", passcode: "guest", host: "/" },
  reconnectDelay: 0,
  heartbeatIncoming: 10000,
  heartbeatOutgoing: 10000,
});

function write() {
  client.watchForReceipt("written", () => client.deactivate());
  for (let number = 0; number < wanted; number += 1) {
    const last = number === wanted - 1 ? { receipt: "written" } : {};
    const parts = { destination: `/amq/queue/${destination}`, headers: { "content-type": "text/plain", ...last } };
    if (number % 2) client.publish({ ...parts, body: `gr\u00fc\u00dfe ${number}` });
    else client.publish({ ...parts, binaryBody: new TextEncoder().encode(`gr\u00fc\u00dfe ${number}`) });
  }
}

client.onConnect = (frame) => {
  result.version = frame.headers.version;
  result.heartbeat = frame.headers["heart-beat"];
  result.subprotocol = client.webSocket.protocol;
  result.extensions = client.webSocket.extensions;
  client.subscribe(
    `/amq/queue/${source}`,
    (message) => {
      result.bodies.push(message.body.length > 100 ? message.body.length : message.body);
      message.ack();
      if (result.bodies.length === wanted) write();
    },
    { ack: "client-individual" },
  );
};
client.onStompError = (frame) => {
  console.error(frame.headers.message, frame.body);
  process.exitCode = 1;
  client.deactivate();
};
client.onWebSocketClose = (event) => {
  result.close = event.code;
  console.log(JSON.stringify(result));
};
client.onWebSocketError = (event) => {
  console.error(event.message);
  process.exitCode = 1;
};
client.activate();
